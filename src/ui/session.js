// One view of the log, feeding the list: a live session (the newest records, then the stream from exactly there) or a
// range of stored records. Both go back as far as the reader scrolls. A new filter or range is a new session.

import { Feed } from './feed.js';
import { cursorOf } from './cursor.js';
import { strayed } from './history.js';
import { isMarker } from './rows.js';
import { serverClock } from './serverclock.js';
import { Stored } from './stored.js';

/**
 * @typedef {import('./stream.js').StreamState|'range'|'replaying'|'paused'} SessionState
 * @typedef {import('./stored.js').Target} Target
 * @typedef {import('./list.js').EventList} EventList
 *
 * @typedef {object} SessionHandlers
 * @property {(items: import('./rows.js').Item[]) => void} onItems  what comes next
 * @property {() => void} onReset        the rows so far are void
 * @property {(state: SessionState) => void} onState
 * @property {() => void} onProgress     counters changed
 * @property {(notice: import('./stored.js').Notice|null) => void} onNotice  what is under way, or went wrong
 * @property {(isResume: boolean) => void} [onHello]  the stream is open
 * @property {(line: string) => void} [onGap]  a gap of the recorder's that the filter hides
 * @property {(host: string, isConnected: boolean, reason: string, time: string) => void} [onHost]  the recorder has gained or lost a Docker host
 */

const isSameLog = (/** @type {string} */ a, /** @type {string} */ b) => a.split('-')[0] === b.split('-')[0];
/** What the recorder says of its connection to a host. */
const OF_HOSTS = new Set(['connect', 'disconnect', 'resumed']);

/** How far back a live view speaks of the recorder's gaps. */
const LIVE_GAPS_MS = 24 * 3_600_000;

export class LiveSession {
  /** @type {'live'} */
  kind = 'live';
  stored;
  /** Rows that came while the newest ones were not held. */
  beyond = 0;
  #query;
  #list;
  #handlers;
  #feed;
  /** Whether what is held reaches the stream. */
  #isAttached = true;

  /** @param {Record<string, string>} filter @param {EventList} list @param {SessionHandlers} handlers */
  constructor(filter, list, handlers) {
    this.#query = filter;
    this.#list = list;
    this.#handlers = handlers;
    const since = new Date(serverClock.now() - LIVE_GAPS_MS).toISOString();
    const { onNotice, onProgress } = handlers;
    this.stored = new Stored(filter, list, { onNotice, onRetry: () => this.#onRetry(), onGaps: onProgress }, since);
    this.#feed = new Feed({ ...handlers, onItems: (items) => this.#onItems(items), onGap: (line) => this.stored.addGaps([strayed(line)]) }, (record) => this.#onNew(record));
  }

  get continuity() {
    return this.#feed.continuity;
  }

  get startedAt() {
    return this.#feed.startedAt;
  }

  /** Whether the newest rows are among those held. */
  get isAttached() {
    return this.#isAttached;
  }

  async open() {
    this.#handlers.onState('connecting');
    const part = await this.stored.open({ edge: 'newer' });
    if (part === null) return;
    // The answer looked at everything up to this head, so that the stream goes on exactly there.
    const { id, head } = part.log;
    const after = head > 0 ? cursorOf(id, head) : null;
    this.#feed.begin(after, Object.keys(this.#query).length === 0, part.items[0]?.id ?? null);
    this.#feed.follow(this.#query);
    this.#handlers.onProgress();
  }

  close() {
    this.stored.close();
    this.#feed.close();
  }

  /** @param {import('./held.js').End} end @returns {Promise<void>|null} */
  more(end) {
    // While a place is being loaded there is no end to go on from.
    if (this.#list.held.newest === null) return null;
    if (end === 'newer') this.#isAttached = false;
    return this.#more(end);
  }

  /** @param {import('./held.js').End} end */
  async #more(end) {
    const part = await this.stored.more(end);
    if (end === 'newer' && part) this.#attach(part);
    else if (!this.#list.held.complete.newer) this.#isAttached = false;
  }

  /** Shows another place of the log, while the stream goes on. @param {Target} target */
  async goTo(target) {
    this.#isAttached = false;
    this.beyond = 0;
    const part = await this.stored.open(target);
    if (part) this.#attach(part);
    if ('edge' in target && target.edge === 'newer') this.#list.follow();
  }

  /** @param {import('./history.js').Part} part that was loaded at the newer end */
  #attach(part) {
    const isLevel = !part.more && part.log.head >= (this.continuity.last ?? 0);
    this.#isAttached = isLevel;
    this.#list.held.complete.newer = isLevel;
    if (isLevel) this.beyond = 0;
    this.#handlers.onProgress();
  }

  /** @param {import('./rows.js').Item[]} items */
  #onItems(items) {
    const gaps = items.filter((item) => !isMarker(item) && item.gap !== null);
    if (gaps.length) this.stored.know(/** @type {import('./rows.js').RecordItem[]} */ (gaps));
    if (this.#isAttached && this.#list.held.complete.newer) {
      // What a page of stored records has brought already comes again from the stream.
      const newest = this.#list.held.newest;
      this.#handlers.onItems(items.filter((item) => isMarker(item) || newest === null || !isSameLog(item.id, newest.id) || item.seq > newest.seq));
      // Of another log nothing is older than what comes now.
      if (items.some((item) => isMarker(item) && item.marker === 'reset')) this.#list.held.complete.older = true;
      return;
    }
    this.#isAttached = false;
    this.beyond += items.filter((item) => isMarker(item) || !item.noise || !this.#list.held.fold).length;
    this.#handlers.onProgress();
  }

  /** @param {import('./format.js').LogRecord} record */
  #onNew(record) {
    const { event, foreign, source, time } = record;
    if (event.Type !== 'recorder' || foreign) return;
    const action = event.Action ?? '';
    if (OF_HOSTS.has(action)) this.#handlers.onHost?.(source, action !== 'disconnect', event.Actor?.Attributes?.reason ?? '', time);
  }

  #onRetry() {
    if (this.continuity.lastId === null) this.#handlers.onState('reconnecting');
  }
}

export class RangeSession {
  /** @type {'range'} */
  kind = 'range';
  stored;
  #list;
  #handlers;
  #target;

  /**
   * @param {Record<string, string>} query filter, since and until @param {EventList} list @param {SessionHandlers} handlers
   * @param {Target} [target] where it opens: at its newest end
   */
  constructor(query, list, handlers, target = { edge: 'newer' }) {
    this.#list = list;
    this.#handlers = handlers;
    this.#target = target;
    this.stored = new Stored(query, list, { onNotice: handlers.onNotice, onGaps: handlers.onProgress });
  }

  async open() {
    this.#handlers.onState('range');
    await this.goTo(this.#target);
  }

  close() {
    this.stored.close();
  }

  /** @param {import('./held.js').End} end @returns {Promise<void>|null} */
  more(end) {
    if (this.#list.held.newest === null) return null;
    return this.stored.more(end).then(() => this.#handlers.onProgress());
  }

  /** @param {Target} target */
  async goTo(target) {
    await this.stored.open(target);
    this.#handlers.onProgress();
  }
}

/** What a page has verified about its stream. @param {import('./header.js').Session|null} session */
export function verified(session) {
  const { lastId = null, resumes = 0, missed = 0, gaps = 0, resets = 0 } = session === null || session.kind === 'range' ? {} : session.continuity;
  return { lastId, resumes, missed, gaps, resets };
}
