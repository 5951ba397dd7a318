// Keys of the page: single letters only, and none while something is being typed.

/** @param {EventTarget|null} target */
const isTyping = (target) => target instanceof Element && target.closest('input, textarea, select') !== null;
/** @param {EventTarget|null} target */
const isControl = (target) => target instanceof Element && target.closest('button, a, summary') !== null;

/** @param {Record<string, () => void>} actions by key: `/`, ` `, `?`, `e`, `l`, `Escape` */
export function bindKeys(actions) {
  document.addEventListener('keydown', (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (isTyping(event.target) && event.key !== 'Escape') return;
    // Space on a button presses that button.
    if (event.key === ' ' && isControl(event.target)) return;
    if (document.querySelector('dialog[open]')) return;
    const action = actions[event.key];
    if (!action) return;
    event.preventDefault();
    action();
  });
}
