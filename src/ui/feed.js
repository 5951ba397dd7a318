// A stream on its way into the list: each record is checked against the one before, and what does not add up is marked.

import { Continuity } from './continuity.js';
import { ItemMaker } from './items.js';
import { Stream } from './stream.js';

/** @typedef {import('./session.js').SessionHandlers} SessionHandlers */

export class Feed {
  continuity = new Continuity(null, true);
  /** @type {string|null} first record shown, or the place the view starts after */
  startedAt = null;
  #handlers;
  #onNew;
  #maker = new ItemMaker();
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

  /** @param {string|null} after where the stream will start @param {boolean} dense whether it holds every record */
  begin(after, dense) {
    this.startedAt = after;
    this.continuity = new Continuity(after, dense);
  }

  /** Shows stored records, which come before those of the stream. @param {string[]} lines */
  show(lines) {
    this.#handlers.onItems(lines.flatMap((line) => this.#maker.make(line)));
    if (lines.length) this.startedAt = JSON.parse(lines[0]).id;
  }

  /** Goes on from where it is. @param {Record<string, string>} query */
  follow(query) {
    this.close();
    this.#stream = new Stream(query, this.continuity.lastId, {
      onRecord: (line) => this.#onRecord(line),
      onControl: (kind, data, id) => this.#onControl(kind, data, id),
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
    const record = JSON.parse(line);
    const { isNew, marker } = this.continuity.record(record.id, record.seq);
    if (marker) this.#mark(marker);
    if (isNew) {
      this.#handlers.onItems(this.#maker.make(line, record));
      this.#onNew(record);
    }
    this.#handlers.onProgress();
  }

  /** @param {string} kind @param {any} data @param {string} id */
  #onControl(kind, data, id) {
    if (kind === 'hello') {
      this.continuity.hello(data);
      this.startedAt ??= this.continuity.lastId;
    } else if (kind === 'gap') {
      this.#mark(this.continuity.gap(data));
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
