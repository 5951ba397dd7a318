// A stream on its way into the list: each record is checked against the one before, and what does not add up is marked.

import { Continuity } from './continuity.js';
import { makeItem, parseRecord } from './items.js';
import { Stream } from './stream.js';

/** @typedef {import('./session.js').SessionHandlers} SessionHandlers */

export class Feed {
  continuity = new Continuity(null, true);
  /** @type {string|null} first record shown, or the place the view starts after */
  startedAt = null;
  #handlers;
  #onNew;
  /** @type {Stream|null} */
  #stream = null;

  /**
   * @param {SessionHandlers} handlers
   * @param {(record: import('./format.js').LogRecord) => void} [onNew] a record has come that was not shown yet
   */
  constructor(handlers, onNew = () => {}) {
    this.#handlers = handlers;
    this.#onNew = onNew;
  }

  /** @param {string|null} after where the stream will start @param {boolean} dense whether it holds every record @param {string|null} [shown] the first record shown before it */
  begin(after, dense, shown = null) {
    this.startedAt = shown ?? after;
    this.continuity = new Continuity(after, dense);
  }

  /** Goes on from where it is. @param {Record<string, string>} query */
  follow(query) {
    this.close();
    this.#stream = new Stream(query, this.continuity.lastId, {
      onRecord: (line) => this.#onRecord(line),
      onControl: (kind, text, id) => this.#onControl(kind, text, id),
      onState: (state) => this.#handlers.onState(state),
    });
    this.#stream.open();
  }

  close() {
    this.#stream?.close();
    this.#stream = null;
  }

  /** @param {string} line */
  #onRecord(line) {
    const record = parseRecord(line);
    const { isNew, marker } = this.continuity.record(record.id, record.seq);
    if (marker) this.#mark(marker);
    if (isNew) {
      this.#handlers.onItems([makeItem(line, record)]);
      this.#onNew(record);
    }
    this.#handlers.onProgress();
  }

  /** @param {string} kind @param {string} text @param {string} id */
  #onControl(kind, text, id) {
    const data = JSON.parse(text);
    if (kind === 'hello') {
      this.continuity.hello(data);
      this.startedAt ??= this.continuity.lastId;
      this.#handlers.onHello?.(this.continuity.resumes > 0);
    } else if (kind === 'gap') {
      this.#mark(this.continuity.gap(data));
    } else if (kind === 'incomplete') {
      // Its id is a place like any other, from which the stream goes on after a drop.
      const marker = this.continuity.reached(id);
      if (marker) this.#mark(marker);
      if (data.record) this.#handlers.onGap?.(recordText(text) ?? JSON.stringify(data.record));
    } else if (kind === 'reset') {
      this.#reset(data);
    } else {
      const marker = this.continuity.reached(id);
      if (marker) this.#mark(marker);
    }
    this.#handlers.onProgress();
  }

  /** @param {any} data */
  #reset(data) {
    // Rows of another log stay as what they are, evidence. Within one log the server is about to send the same
    // ids again, so what is shown would be there twice.
    if (data.reason !== 'foreign-log') this.#handlers.onReset();
    this.#mark(this.continuity.reset(data));
  }

  /** @param {import('./continuity.js').Marker} marker */
  #mark({ kind, text }) {
    this.#handlers.onItems([{ marker: kind, text }]);
  }
}

/** The record of an `incomplete` frame as it was sent, where it is the last member. @param {string} text @returns {string|null} */
function recordText(text) {
  const at = text.indexOf('"record":');
  const line = at === -1 ? '' : text.slice(at + 9, text.lastIndexOf('}')).trim();
  try {
    return JSON.parse(line) && line;
  } catch {
    return null;
  }
}
