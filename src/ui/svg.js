// Elements by name, with attributes and children.

/** @param {Element} element @param {Record<string, string|number>} attributes @param {(Node|string)[]} children */
function filled(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, String(value));
  element.append(...children);
  return element;
}

/** @param {string} tag @param {Record<string, string|number>} [attributes] @param {(Node|string)[]} children @returns {any} */
export const svg = (tag, attributes = {}, ...children) => filled(document.createElementNS('http://www.w3.org/2000/svg', tag), attributes, children);

/** @param {string} tag @param {Record<string, string|number>} [attributes] @param {(Node|string)[]} children @returns {any} */
export const html = (tag, attributes = {}, ...children) => filled(document.createElement(tag), attributes, children);

/** A table for those who do not see a picture. @param {string} caption @param {string[]} heads @param {(string|number)[][]} rows @returns {Element} */
export const table = (caption, heads, rows) =>
  html('table', {}, html('caption', {}, caption),
    html('thead', {}, html('tr', {}, ...heads.map((head) => html('th', { scope: 'col' }, head)))),
    html('tbody', {}, ...rows.map(([name, ...cells]) => html('tr', {}, html('th', { scope: 'row' }, String(name)), ...cells.map((cell) => html('td', {}, String(cell)))))));
