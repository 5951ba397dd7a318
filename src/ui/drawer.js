// The detail drawer: one record, in words and verbatim, and what can be done with it.

import { address } from './base.js';
import { copy } from './clipboard.js';
import { fullTime, printable, shortId, visible } from './format.js';
import { parseRecord } from './items.js';
import { eventText, indent } from './message.js';
import { asText, sentence } from './words.js';

/** @typedef {import('./rows.js').RecordItem} RecordItem */

/** @param {import('./format.js').LogRecord} record @returns {{id: string, name: string}} the container a record is about */
function containerOf({ event }) {
  const attributes = event.Actor?.Attributes ?? {};
  if (event.Type === 'container' || attributes.startedAt) return { id: event.Actor?.ID ?? '', name: attributes.name ?? '' };
  return { id: attributes.container ?? '', name: '' };
}

/** A message as it came, readable where it can be. @param {string} line */
function messageText(line) {
  try {
    return indent(eventText(line));
  } catch {
    return line;
  }
}

export class Drawer {
  #root;
  #parts;
  #handlers;
  /** @type {Element|null} */
  #openedFrom = null;

  /**
   * @param {HTMLElement} root
   * @param {{onFilter: (key: string, value: string) => void, onAround: (record: import('./format.js').LogRecord) => void,
   *   linkTo: (id: string) => string, onClose: () => void}} handlers
   */
  constructor(root, handlers) {
    this.#root = root;
    this.#handlers = handlers;
    const part = (/** @type {string} */ name) => /** @type {HTMLElement} */ (root.querySelector(`[data-part="${name}"]`));
    this.#parts = {
      id: part('id'), words: part('words'), output: part('output'), times: part('times'), json: part('json'), said: part('said'),
      raw: /** @type {HTMLAnchorElement} */ (part('raw')), link: /** @type {HTMLAnchorElement} */ (part('link')),
      copy: part('copy'), copyText: part('copy-text'), around: part('around'), close: part('close'), byId: part('by-id'), byName: part('by-name'),
    };
    this.#parts.close.onclick = () => this.close();
  }

  get isOpen() {
    return !this.#root.hidden;
  }

  /** @param {RecordItem} item */
  open(item) {
    const record = parseRecord(item.line);
    const parts = this.#parts;
    if (!this.isOpen) this.#openedFrom = document.activeElement;
    const json = messageText(item.line);
    parts.id.textContent = record.id;
    parts.words.textContent = sentence(record, item.end);
    const isWords = record.event?.Type === 'recorder' && record.event.Action === 'last-words' && !record.foreign;
    const printed = isWords ? record.event.Actor?.Attributes?.text ?? '' : '';
    parts.output.hidden = printed === '';
    parts.output.textContent = visible(printed);
    parts.times.textContent = `happened ${fullTime(record.time)}\nreceived ${fullTime(record.received)} from ${printable(String(record.source))}\n${record.time}`;
    parts.json.textContent = visible(json);
    parts.said.textContent = '';
    parts.raw.href = address(`api/v1/events/${encodeURIComponent(record.id)}`);
    parts.link.href = this.#handlers.linkTo(record.id);
    const say = async (/** @type {string} */ text) => {
      parts.said.textContent = await copy(text, parts.json);
    };
    parts.copy.onclick = () => say(json);
    parts.copyText.onclick = () => say(asText(record, item.end));
    parts.around.onclick = () => this.#handlers.onAround(record);
    const container = containerOf(record);
    this.#offer(parts.byId, container.id && 'Only this container', String(container.id && shortId(container.id)));
    this.#offer(parts.byName, container.name && `Only the name ${printable(container.name)}`, container.name);
    this.#root.hidden = false;
    this.#root.scrollTop = 0;
  }

  close() {
    if (!this.isOpen) return;
    this.#root.hidden = true;
    if (this.#openedFrom instanceof HTMLElement) this.#openedFrom.focus({ preventScroll: true });
    this.#handlers.onClose();
  }

  /** @param {HTMLElement} button @param {string} label empty to hide @param {string} value */
  #offer(button, label, value) {
    button.hidden = label === '';
    button.textContent = label;
    button.title = `container=${value}`;
    button.onclick = () => this.#handlers.onFilter('container', value);
  }
}
