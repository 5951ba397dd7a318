// The proof that nothing is missing. Sequences are dense, so whoever sees an unfiltered stream can count;
// and after each reconnect `hello` names the place the server goes on from, which must be the place we had
// reached. Whatever does not add up becomes a marker for the list. Pure: no DOM, no connection.

import { cursorOf, sequenceOf } from './cursor.js';

/** @typedef {{kind: 'gap'|'reset'|'missed', text: string}} Marker */

export class Continuity {
  /** Last sequence accounted for; null until the first `hello` of an empty log. @type {number|null} */
  last;
  /** @type {string|null} */
  lastId;
  resumes = 0;
  missed = 0;
  repeated = 0;
  gaps = 0;
  resets = 0;
  /** The cursor after which the last resume went on. @type {string|null} */
  resumedAfter = null;
  /** What did not add up at the last resume, in words. @type {string|null} */
  difference = null;

  #dense;
  #connections = 0;
  /** @type {{had: number, got: number}|null} an unexplained jump; a `gap` or `reset` may still explain it */
  #jump = null;

  /**
   * @param {string|null} after the cursor the first connection starts from
   * @param {boolean} dense whether the stream is unfiltered, so that each sequence must appear
   */
  constructor(after, dense) {
    this.lastId = after;
    this.last = after === null ? null : sequenceOf(after);
    this.#dense = dense;
  }

  /** @param {{log: string, after: number, hosts?: string[]}} hello `hosts`: of which alone the login reads */
  hello({ log, after, hosts }) {
    if (hosts) this.#dense = false;
    const had = this.last;
    if (this.#connections++ > 0) {
      this.resumes += 1;
      this.resumedAfter = cursorOf(log, after);
      this.difference = null;
    }
    if (had === null) this.last = after;
    else if (after !== had) this.#jump = { had, got: after };
    this.lastId = cursorOf(log, after);
  }

  /** @param {string} id @param {number} seq @returns {{isNew: boolean, marker: Marker|null}} */
  record(id, seq) {
    const marker = this.#settle();
    const expected = (this.last ?? seq - 1) + 1;
    if (seq < expected) {
      this.repeated += 1;
      return { isNew: false, marker };
    }
    this.last = seq;
    this.lastId = id;
    const skipped = this.#dense && seq > expected;
    return { isNew: true, marker: skipped ? this.#miss(expected, seq - 1) : marker };
  }

  /** `caught-up` and `checkpoint`: all up to `id` has been sent. @param {string} id @returns {Marker|null} */
  reached(id) {
    const marker = this.#settle();
    const seq = sequenceOf(id);
    const before = this.last ?? seq;
    this.lastId = id;
    this.last = Math.max(before, seq);
    return this.#dense && seq > before ? this.#miss(before + 1, seq) : marker;
  }

  /** @param {{from: number, to: number, reason: string}} gap @returns {Marker} */
  gap({ from, to, reason }) {
    this.gaps += 1;
    this.#jump = null;
    this.last = Math.max(this.last ?? 0, to);
    const why = { retention: 'deleted by retention', damage: 'damaged on disk' }[reason] ?? reason;
    return { kind: 'gap', text: `gap · ${from}…${to} · ${to - from + 1} records are gone: ${why}` };
  }

  /** @param {{reason: string, requested: string|number, oldest: number, head: number}} reset @returns {Marker} */
  reset({ reason, requested, oldest, head }) {
    this.resets += 1;
    this.#jump = null;
    this.last = oldest - 1;
    const why = {
      'foreign-log': 'the recorder now keeps another log',
      future: 'the log ends before the place this page had reached',
      malformed: 'the server could not read the cursor',
    }[reason] ?? reason;
    return { kind: 'reset', text: `reset · ${why} · asked after ${requested}, goes on with ${oldest}…${head}` };
  }

  /** @param {number} from @param {number} to @returns {Marker} */
  #miss(from, to) {
    this.missed += to - from + 1;
    return { kind: 'missed', text: `missed · ${from}…${to} · the server skipped ${to - from + 1} records without saying so` };
  }

  /** The frame after a `hello` that did not fit was neither `gap` nor `reset`. @returns {Marker|null} */
  #settle() {
    if (this.#jump === null) return null;
    const { had, got } = this.#jump;
    this.#jump = null;
    this.difference = `resumed after ${got}, this page had ${had}`;
    // Behind us: what is sent twice will be dropped as repeated. Ahead of us: lost, and under a filter nobody
    // can tell how much of it would have matched, so all of it counts.
    if (got < had) return null;
    this.last = got;
    return this.#miss(had + 1, got);
  }
}
