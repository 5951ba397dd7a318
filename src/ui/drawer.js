// The detail drawer: one record, verbatim, and what can be done with it.

import { shortId } from './format.js';
import { eventText, indent } from './verbatim.js';

/** @typedef {import('./rows.js').RecordItem} RecordItem */

/** @param {import('./format.js').LogRecord} record @returns {{id: string, name: string}} the container a record is about */
function containerOf({ event }) {
  const attributes = event.Actor?.Attributes ?? {};
  if (event.Type === 'container' || attributes.startedAt) return { id: event.Actor?.ID ?? '', name: attributes.name ?? '' };
  return { id: attributes.container ?? '', name: '' };
}

/** @param {string} text @param {HTMLElement} shown where the text can be selected when there is no clipboard */
async function copy(text, shown) {
  try {
    await navigator.clipboard.writeText(text);
    return 'copied';
  } catch {
    // No clipboard on plain http, except on loopback: select, so that one key does the rest.
    getSelection()?.selectAllChildren(shown);
    return 'selected: now press Ctrl+C';
  }
}

export class Drawer {
  #root;
  #parts;
  #onFilter;
  #onClose;
  /** @type {Element|null} */
  #openedFrom = null;

  /**
   * @param {HTMLElement} root
   * @param {{onFilter: (term: import('./filter.js').Term) => void, onClose: () => void}} handlers
   */
  constructor(root, { onFilter, onClose }) {
    this.#root = root;
    this.#onFilter = onFilter;
    this.#onClose = onClose;
    const part = (/** @type {string} */ name) => /** @type {HTMLElement} */ (root.querySelector(`[data-part="${name}"]`));
    this.#parts = {
      id: part('id'), times: part('times'), json: part('json'), said: part('said'), raw: /** @type {HTMLAnchorElement} */ (part('raw')),
      copy: part('copy'), close: part('close'), byId: part('by-id'), byName: part('by-name'),
    };
    this.#parts.close.onclick = () => this.close();
  }

  get isOpen() {
    return !this.#root.hidden;
  }

  /** @param {RecordItem} item */
  open(item) {
    const record = JSON.parse(item.line);
    const parts = this.#parts;
    if (!this.isOpen) this.#openedFrom = document.activeElement;
    const json = indent(eventText(item.line));
    parts.id.textContent = record.id;
    parts.times.textContent = `event ${record.time}\nreceived ${record.received} from ${record.source}`;
    parts.json.textContent = json;
    parts.said.textContent = '';
    parts.raw.href = `/api/v1/events/${encodeURIComponent(record.id)}`;
    parts.copy.onclick = async () => {
      parts.said.textContent = await copy(json, parts.json);
    };
    const container = containerOf(record);
    this.#offer(parts.byId, container.id && `Filter by this container`, `container=${shortId(container.id)}`, shortId(container.id));
    this.#offer(parts.byName, container.name && `Filter by the name ${container.name}`, `container=${container.name}`, container.name);
    this.#root.hidden = false;
    this.#root.scrollTop = 0;
  }

  close() {
    if (!this.isOpen) return;
    this.#root.hidden = true;
    if (this.#openedFrom instanceof HTMLElement) this.#openedFrom.focus({ preventScroll: true });
    this.#onClose();
  }

  /** @param {HTMLElement} button @param {string} label empty to hide @param {string} title @param {string} value */
  #offer(button, label, title, value) {
    button.hidden = label === '';
    button.textContent = label;
    button.title = title;
    button.onclick = () => this.#onFilter({ key: 'container', value, exclude: false });
  }
}
