// Elements in one expression. Text is text and nothing else, whatever a container is called.

/** @typedef {Node|string|null|false|undefined|Child[]} Child */

/**
 * @param {string} tag with classes: `p.soft` @param {Record<string, any>} [set] properties, attributes, and `data` for the dataset
 * @param {...Child} children what is empty is left out @returns {any}
 */
export function h(tag, set = {}, ...children) {
  const [name, ...classes] = tag.split('.');
  const element = document.createElement(name);
  if (classes.length) element.className = classes.join(' ');
  for (const [key, value] of Object.entries(set)) {
    if (value === undefined || value === null || value === false) continue;
    if (key === 'data') Object.assign(element.dataset, value);
    else if (key in element) /** @type {any} */ (element)[key] = value;
    else element.setAttribute(key, value === true ? '' : String(value));
  }
  element.append(.../** @type {any[]} */ (children).flat(9).filter((child) => child !== null && child !== undefined && child !== false && child !== ''));
  return element;
}

/** Written only when it changes, or a screen reader would speak it each time. @param {Element} element @param {string} text */
export function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/**
 * Makes an element like another one, keeping what is alike, so that neither focus nor pointer lose what they are on. What
 * has `data-own` is written by others, and left alone.
 * @param {Element} old @param {Element} next
 */
export function morph(old, next) {
  if (old.hasAttribute('data-own') || old.isEqualNode(next)) return;
  for (const { name } of [...old.attributes]) if (!next.hasAttribute(name) && name !== 'open') old.removeAttribute(name);
  for (const { name, value } of next.attributes) if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  const fresh = [...next.childNodes];
  for (const [n, node] of fresh.entries()) {
    const had = old.childNodes[n];
    if (!had) old.append(node);
    else if (had instanceof Element && node instanceof Element && had.tagName === node.tagName) morph(had, node);
    else if (!had.isEqualNode(node)) had.replaceWith(node);
  }
  while (old.childNodes.length > fresh.length) old.lastChild?.remove();
}
