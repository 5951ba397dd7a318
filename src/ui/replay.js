// An incident once more, at a multiple of its own pace: a stream with a speed, and the clock of the time that it shows.

import { Feed } from './feed.js';
import { toDate } from './format.js';
import { strayed } from './history.js';

/** Where a replay stands in the time of its records. It runs on between two of them. */
export class ReplayClock {
  speed = 1;
  /** @type {number|null} the time shown, when `#since` was now */
  #shown = null;
  #since = 0;
  #running = false;
  /** @type {number|null} of the last record */
  #last = null;

  /** A record has come. @param {string} received @param {number} now */
  at(received, now) {
    this.#last = toDate(received).getTime();
    this.#shown = this.#last;
    this.#since = now;
    this.#running = true;
  }

  /** @param {number} now */
  stop(now) {
    this.#shown = this.time(now);
    this.#since = now;
    this.#running = false;
  }

  /** Nothing follows: what has run on since the last record is taken back. */
  settle() {
    this.#shown = this.#last;
    this.#running = false;
  }

  /** @param {number} now @returns {number|null} milliseconds since 1970; null before the first record */
  time(now) {
    return this.#shown === null || !this.#running ? this.#shown : this.#shown + (now - this.#since) * this.speed;
  }
}

export class ReplaySession {
  /** @type {'replay'} */
  kind = 'replay';
  #clock = new ReplayClock();
  #query;
  #handlers;
  #feed;
  /** Gaps that were shown although the filter hides them, by sequence. @type {Set<number>} */
  #told = new Set();

  /**
   * @param {Record<string, string>} query filter, since and until @param {number} speed
   * @param {import('./session.js').SessionHandlers} handlers
   */
  constructor(query, speed, handlers) {
    this.#query = query;
    this.#clock.speed = speed;
    this.#handlers = handlers;
    const onState = (/** @type {import('./session.js').SessionState} */ state) => this.#onState(state);
    const onReset = () => {
      this.#told.clear();
      handlers.onReset();
    };
    this.#feed = new Feed({ ...handlers, onState, onReset, onGap: (line) => this.#onGap(line) }, (record) => this.#clock.at(record.received, performance.now()));
    // Only without a filter and without an end does each sequence appear.
    this.#feed.begin(null, Object.keys(query).every((key) => key === 'since'));
  }

  get continuity() {
    return this.#feed.continuity;
  }

  get startedAt() {
    return this.#feed.startedAt;
  }

  /** The time that is shown, in milliseconds since 1970. */
  get time() {
    return this.#clock.time(performance.now());
  }

  /** Begins, or goes on from where it is. */
  open() {
    this.#feed.follow({ ...this.#query, speed: String(this.#clock.speed) });
  }

  pause() {
    this.close();
    this.#handlers.onState('paused');
  }

  /** @param {number} speed from here on */
  setSpeed(speed) {
    this.#clock.stop(performance.now());
    this.#clock.speed = speed;
  }

  close() {
    this.#clock.stop(performance.now());
    this.#feed.close();
  }

  /** @param {string} line */
  #onGap(line) {
    const item = strayed(line);
    // One that is told at the start comes again where the start is resumed.
    if (this.#told.has(item.seq)) return;
    this.#told.add(item.seq);
    this.#handlers.onItems([item]);
  }

  /** @param {import('./session.js').SessionState} state */
  #onState(state) {
    if (state === 'closed') return;
    if (state === 'ended') this.#clock.settle();
    else if (state !== 'catching-up') this.#clock.stop(performance.now());
    this.#handlers.onState(state === 'catching-up' ? 'replaying' : state);
  }
}
