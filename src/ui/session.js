// One view of the log, feeding the list: a live session (recent history, then the stream from exactly there) or
// a range (pages of stored records). A new filter or range is a new session.

import { Feed } from './feed.js';
import { ApiError, fetchRange, fetchRecent } from './history.js';
import { ItemMaker } from './items.js';
import { cursorOf } from './format.js';

/**
 * @typedef {import('./stream.js').StreamState|'range'|'replaying'|'paused'} SessionState
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
  #filter;
  #handlers;
  #abort = new AbortController();
  #feed;

  /** @param {Record<string, string>} filter @param {SessionHandlers} handlers */
  constructor(filter, handlers) {
    this.#filter = filter;
    this.#handlers = handlers;
    this.#feed = new Feed(handlers);
  }

  get continuity() {
    return this.#feed.continuity;
  }

  get startedAt() {
    return this.#feed.startedAt;
  }

  async open() {
    this.#handlers.onState('connecting');
    const recent = await this.#recent();
    if (recent === null) return;
    const after = recent.after === null ? null : cursorOf(recent.log.id, recent.after);
    this.#feed.begin(after, Object.keys(this.#filter).length === 0);
    this.#feed.show(recent.records);
    this.#feed.follow(this.#filter);
  }

  close() {
    this.#abort.abort();
    this.#feed.close();
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
