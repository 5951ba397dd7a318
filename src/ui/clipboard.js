// Text on its way to the clipboard, also where a browser gives none: on plain http, except on loopback.

/**
 * @param {string} text @param {HTMLElement} shown where the text can be selected when there is no clipboard
 * @returns {Promise<string>} what to say of it
 */
export async function copy(text, shown) {
  try {
    await navigator.clipboard.writeText(text);
    return 'copied';
  } catch {
    shown.textContent = text;
    shown.hidden = false;
    getSelection()?.selectAllChildren(shown);
    return 'selected: now press Ctrl+C';
  }
}
