// The incidents of the view: those of its range, or of the last 24 hours and whatever is still open. How they come is
// known to nobody else. One page of a browser that is looked at has a question open, which the server answers when there is
// another answer. The others ask by the clock, hidden ones now and then: over HTTP/1.1 all have six connections together.

import { join } from './across.js';
import { AnswerError, ask, textOf } from './answers.js';
import { serverClock } from './serverclock.js';
import { millis } from './timespan.js';
import { DAY_MS } from './view.js';

/**
 * @typedef {import('./incident-words.js').Incident} Incident
 * @typedef {{asOf: number, since: number, until: number, more: boolean, log: {id: string, oldest: number, head: number}}} Page
 *   `since` and `until` are NaN where the range has no such end; `more`: there are more than are asked for
 */

/** Incidents that a page holds; of a range with more, the newest. */
export const LIMIT = 300;
/** Seconds that the server may wait for something new. */
const WAIT_S = 25;
/** Between two questions where the server does not wait, and while the page is hidden. */
const EVERY_MS = 2_000;
const EVERY_HIDDEN_MS = 20_000;
/** After a record or an answer has come: a moment later more is known. */
const SOON_MS = 150;
/** A log of which nothing is known for longer than this is not live. */
const STALE_MS = 60_000;
const HOUR_MS = 3_600_000;

/** @returns {Promise<(() => void)|null>} ends the turn of the page that waits; null: another one does, or pages cannot know */
const turn = () => new Promise((resolve) => {
  // Without TLS there are no locks but on the browser's own machine.
  if (!globalThis.navigator?.locks) resolve(null);
  else navigator.locks.request('shipslog-incidents', { ifAvailable: true }, (lock) => (lock === null ? resolve(null) : new Promise((end) => resolve(() => end(undefined))))).catch(() => resolve(null));
});

export class IncidentStore {
  /** @type {Incident[]} */
  incidents = [];
  /** @type {Page|null} */
  page = null;
  #onChange;
  /** Null: nothing was asked for yet; a range without ends asks for all. @type {Record<string, string>|null} */
  #query = null;
  #isLive = false;
  /** When the log ended, if it is not live. */
  #end = Number.POSITIVE_INFINITY;
  #etag = '';
  #isAsking = false;
  #isWaiting = false;
  #timer = 0;
  #soon = 0;
  /** @type {AbortController|null} */
  #asking = null;

  /** @param {(incidents: Incident[], page: Page) => void} onChange */
  constructor(onChange) {
    this.#onChange = onChange;
    document.addEventListener('visibilitychange', () => { if (!document.hidden || this.#isWaiting) this.#look(); });
  }

  /** @param {{since: string, until: string, range: boolean, at?: string}} view `at`: as it was known then */
  watch({ since, until, range, at = '' }) {
    this.#isLive = !range;
    this.#end = Number.POSITIVE_INFINITY;
    const query = { ...(range ? { ...(since && { since }), ...(until && { until }) } : this.#lastDay()), ...(at && { at }) };
    if (JSON.stringify(query) === JSON.stringify(this.#query)) return;
    this.#query = query;
    this.#etag = '';
    this.#look();
  }

  /** Whether an answer is about to come. */
  get isAsking() {
    return this.#isAsking && !this.#isWaiting;
  }

  /** Something has been recorded: perhaps an incident. */
  hint() {
    // A question that waits is answered when it has become one.
    if (this.#isWaiting) return;
    this.#soon ||= setTimeout(() => {
      this.#soon = 0;
      this.#look();
    }, SOON_MS);
  }

  /** @param {string} id @returns {Incident|null} */
  find(id) {
    return this.incidents.find((each) => each.id === id) ?? null;
  }

  /** To the hour, so that the question stays the same for a while. @returns {{since: string}} */
  #lastDay() {
    const end = Math.min(serverClock.now(), this.#end);
    return { since: new Date(Math.floor((end - DAY_MS) / HOUR_MS) * HOUR_MS).toISOString() };
  }

  async #look() {
    clearTimeout(this.#timer);
    this.#asking?.abort();
    const asking = (this.#asking = new AbortController());
    if (this.#isLive && this.#lastDay().since !== this.#query?.since) {
      this.#query = this.#lastDay();
      this.#etag = '';
    }
    this.#isAsking = true;
    this.#isWaiting = false;
    const end = this.#etag !== '' && this.#isLive && !document.hidden ? await turn() : null;
    if (asking !== this.#asking) {
      end?.();
      return;
    }
    this.#isWaiting = end !== null;
    let next = document.hidden ? EVERY_HIDDEN_MS : EVERY_MS;
    const began = performance.now();
    try {
      const query = { ...this.#query, severity: 'notice', order: 'desc', limit: String(LIMIT) };
      const response = await ask('api/v1/incidents', query, asking.signal, undefined, this.#etag, this.#isWaiting ? WAIT_S : 0);
      const isNew = response.status !== 304;
      // It is as it was, now too; of a log that nobody writes that was long ago.
      if (!isNew && this.page && serverClock.now() - this.page.asOf < STALE_MS) this.page.asOf = serverClock.now();
      if (isNew) {
        const answer = JSON.parse(await textOf(response));
        if (asking !== this.#asking) return;
        this.#etag = response.headers.get('ETag') ?? '';
        if (this.#isOld(answer)) return this.#look();
        this.#take(answer);
      }
      // A server that has waited does so again; one that answered at once is asked every two seconds.
      const hasWaited = response.headers.has('Preference-Applied') && (isNew || performance.now() - began > EVERY_MS);
      if (this.#isWaiting && hasWaited && !document.hidden) next = SOON_MS;
    } catch (error) {
      if (/** @type {Error} */ (error).name === 'AbortError') return;
      // A server without incidents; that one does not answer at all is said elsewhere.
      if (error instanceof AnswerError && error.isFinal) return;
    } finally {
      end?.();
      if (asking === this.#asking) this.#isAsking = this.#isWaiting = false;
    }
    if (asking === this.#asking) this.#timer = setTimeout(() => this.#look(), next);
  }

  /** The last 24 hours of a log that nobody writes are those before its end. @param {any} answer */
  #isOld({ as_of }) {
    const at = millis(as_of);
    if (!this.#isLive) return false;
    // What a log ends with may be known before or after the answer has come.
    if (this.#end !== at && (at < serverClock.now() - STALE_MS || serverClock.isStopped)) this.#end = at;
    return this.#lastDay().since !== this.#query?.since;
  }

  /** @param {any} answer */
  #take({ incidents, across = [], page, log, as_of }) {
    this.incidents = incidents;
    join(incidents, across);
    this.page = { asOf: millis(as_of), since: millis(this.#query?.since ?? ''), until: millis(this.#query?.until ?? ''), more: page.next !== null, log };
    this.#onChange(this.incidents, this.page);
  }
}
