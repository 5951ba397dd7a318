// One view of the log, feeding the list: a live session (recent history, then the stream from exactly there) or
// a range (pages of stored records). A new filter or range is a new session.

import { Continuity } from './continuity.js';
import { ApiError, fetchRange, fetchRecent } from './history.js';
import { ItemMaker } from './items.js';
import { cursorOf } from './format.js';
import { Stream } from './stream.js';

/**
 * @typedef {import('./stream.js').StreamState|'range'} SessionState
 *
 * @typedef {object} SessionHandlers
 * @property {(items: import('./rows.js').Item[]) => void} onItems
 * @property {() => void} onReset        the rows so far are void
 * @property {(state: SessionState) => void} onState
 * @property {() => void} onProgress     counters changed
 * @property {(message: string) => void} onError  what the server refused, in its words
 */

const RECENT_RECORDS = 500;
const RANGE_PAGE = 1_000;
const RANGE_MAX = 100_000;
const HISTORY_RETRY_MS = 2_000;

const sleep = (/** @type {number} */ ms) => new Promise((resolve) => setTimeout(resolve, ms));

export class LiveSession {
  continuity = new Continuity(null, true);
  /** @type {string|null} first record shown, or the place the view starts after */
  startedAt = null;
  #filter;
  #handlers;
  #abort = new AbortController();
  #maker = new ItemMaker();
  /** @type {Stream|null} */
  #stream = null;

  /** @param {Record<string, string>} filter @param {SessionHandlers} handlers */
  constructor(filter, handlers) {
    this.#filter = filter;
    this.#handlers = handlers;
  }

  async open() {
    this.#handlers.onState('connecting');
    const recent = await this.#recent();
    if (recent === null) return;
    this.#handlers.onItems(recent.records.flatMap((line) => this.#maker.make(line)));
    const after = recent.after === null ? null : cursorOf(recent.log.id, recent.after);
    this.startedAt = recent.records.length ? JSON.parse(recent.records[0]).id : after;
    this.continuity = new Continuity(after, Object.keys(this.#filter).length === 0);
    this.#stream = new Stream(this.#filter, after, {
      onRecord: (line) => this.#onRecord(line),
      onControl: (kind, data, id) => this.#onControl(kind, data, id),
      onState: (state) => this.#handlers.onState(state),
    });
    this.#stream.open();
  }

  close() {
    this.#abort.abort();
    this.#stream?.close();
  }

  /** Asks until there is an answer; null when the request is wrong or the session was closed. */
  async #recent() {
    const { signal } = this.#abort;
    for (;;) {
      try {
        return await fetchRecent(this.#filter, RECENT_RECORDS, signal);
      } catch (error) {
        if (signal.aborted) return null;
        if (error instanceof ApiError && error.isFinal) {
          this.#handlers.onState('closed');
          this.#handlers.onError(error.message);
          return null;
        }
        this.#handlers.onState('reconnecting');
        await sleep(HISTORY_RETRY_MS);
      }
    }
  }

  /** @param {string} line */
  #onRecord(line) {
    const record = JSON.parse(line);
    const { isNew, marker } = this.continuity.record(record.id, record.seq);
    if (marker) this.#mark(marker);
    if (isNew) this.#handlers.onItems(this.#maker.make(line, record));
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

export class RangeSession {
  /** How far the loading is: `done` of `total` sequences, `total` null while unknown. */
  progress = { loaded: 0, done: 0, total: /** @type {number|null} */ (null), finished: false, truncated: false };
  #query;
  #handlers;
  #abort = new AbortController();

  /** @param {Record<string, string>} query filter, since and until @param {SessionHandlers} handlers */
  constructor(query, handlers) {
    this.#query = query;
    this.#handlers = handlers;
  }

  async open() {
    this.#handlers.onState('range');
    try {
      await this.#load();
    } catch (error) {
      if (this.#abort.signal.aborted) return;
      const what = error instanceof ApiError ? error.message : 'the server did not answer; try again';
      this.#handlers.onError(`range: ${what}`);
    }
  }

  close() {
    this.#abort.abort();
  }

  async #load() {
    const maker = new ItemMaker();
    let first = null;
    for await (const page of fetchRange(this.#query, RANGE_PAGE, this.#abort.signal)) {
      const records = page.records.map((line) => ({ line, record: JSON.parse(line) }));
      first ??= records[0]?.record.seq ?? null;
      const last = records.at(-1)?.record.seq ?? 0;
      const loaded = this.progress.loaded + records.length;
      const truncated = loaded >= RANGE_MAX && page.next !== null;
      this.progress = {
        loaded,
        done: last - (first ?? 0),
        total: first === null ? null : page.log.head - first,
        finished: page.next === null || truncated,
        truncated,
      };
      this.#handlers.onItems(records.flatMap(({ line, record }) => maker.make(line, record)));
      if (truncated) this.#note();
      this.#handlers.onProgress();
      if (truncated) return;
    }
  }

  #note() {
    const text = `stopped at ${RANGE_MAX.toLocaleString('en')} records · narrow the range, or export all of it`;
    this.#handlers.onItems([{ marker: 'note', text }]);
  }
}
