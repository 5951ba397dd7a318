// Stored records over GET /api/v1/events, in either direction from any place. Every record is handed on as the text the
// server sent.

import { AnswerError, ask, textOf } from './answers.js';
import { makeItem } from './items.js';
import { splitPage } from './verbatim.js';

/**
 * @typedef {{id: string, oldest: number, head: number}} LogBounds
 * @typedef {import('./rows.js').RecordItem} RecordItem
 * @typedef {{items: RecordItem[], more: boolean, next: string|null, log: LogBounds, folded: number,
 *   gaps: RecordItem[]}} Part  `items` in the order of the log; `next` leads on; `gaps` are records of the recorder's that the filter would hide
 */

/** Records of one request where the server folds; where the page has to, most of them may be health checks. */
const LIMIT = 500;
const LIMIT_UNFOLDED = 2_000;
/** Gaps that are asked for at once. Of a range with an end the first ones from its beginning on count, else the newest. */
const GAP_LIMIT = 200;

/** Whether the server knows `fold=noise`; it is asked once. */
let canFold = true;

/** @param {Record<string, string>} query @param {AbortSignal} [signal] @returns {Promise<Part>} */
export async function fetchPart(query, signal) {
  const response = await ask('api/v1/events', query, signal);
  const { records, incomplete, envelope } = splitPage(await textOf(response));
  const items = records.map((line) => makeItem(line));
  if (query.order === 'desc') items.reverse();
  const next = envelope.page?.next ?? null;
  return { items, more: next !== null, next, log: envelope.log, folded: envelope.folded ?? 0, gaps: incomplete.map(strayed) };
}

/** @param {string} line @returns {RecordItem} a gap that is shown although the filter would hide it */
export const strayed = (line) => ({ ...makeItem(line), strayed: true });

/** The stored records of one view. */
export class History {
  /** Health checks that the server has left out. */
  folded = 0;
  #query;
  #fold;
  #signal;

  /** @param {Record<string, string>} query filter, since, until @param {boolean} fold @param {AbortSignal} signal */
  constructor(query, fold, signal) {
    this.#query = query;
    this.#fold = fold;
    this.#signal = signal;
  }

  /** The newest records. */
  newest() {
    return this.#ask({ order: 'desc' });
  }

  /** @param {string} id what lies before this record */
  before(id) {
    return this.#ask({ order: 'desc', before: id });
  }

  /** @param {string} id what lies after this record */
  after(id) {
    return this.#ask({ order: 'asc', after: id });
  }

  /** The first record of a time on, in the order of the log. @param {string} since */
  async firstSince(since) {
    const part = await fetchPart({ ...this.#query, since, order: 'asc', limit: '1' }, this.#signal);
    return part.items[0] ?? null;
  }

  /** The oldest record that is kept under the filter. */
  async first() {
    const part = await fetchPart({ ...this.#query, order: 'asc', limit: '1' }, this.#signal);
    return part.items[0] ?? null;
  }

  /** @param {string} id @returns {Promise<RecordItem>} one record, whatever the filter says */
  async one(id) {
    return makeItem((await textOf(await ask(`api/v1/events/${encodeURIComponent(id)}`, {}, this.#signal))).trim());
  }

  /** Where the log ends, whatever matches. @returns {Promise<LogBounds>} */
  async bounds() {
    return (await fetchPart({ order: 'desc', limit: '1' }, this.#signal)).log;
  }

  /** @param {Record<string, string>} place @returns {Promise<Part>} */
  async #ask(place) {
    const asked = { ...this.#query, ...place };
    if (this.#fold && canFold) {
      try {
        return await this.#askFolded({ ...asked, limit: String(LIMIT), fold: 'noise' });
      } catch (error) {
        if (!(error instanceof AnswerError) || error.status !== 400 || !/"fold"/.test(error.message)) throw error;
        canFold = false;
      }
    }
    return fetchPart({ ...asked, limit: String(this.#fold ? LIMIT_UNFOLDED : LIMIT) }, this.#signal);
  }

  /**
   * Health checks may be so many that a page ends among them, without a record to go on from.
   * @param {Record<string, string>} asked @returns {Promise<Part>}
   */
  async #askFolded(asked) {
    const { after: _after, before: _before, ...rest } = asked;
    /** @type {RecordItem[]} */
    const gaps = [];
    for (let query = asked; ;) {
      const part = await fetchPart(query, this.#signal);
      this.folded += part.folded;
      gaps.push(...part.gaps);
      if (part.items.length > 0 || part.next === null) return { ...part, gaps };
      query = { ...rest, cursor: part.next };
    }
  }
}

/**
 * The recorder's gaps that may meet a range, oldest first, whatever the filter hides. A gap is recorded when it is over,
 * so that the record of one which began in the range may lie after it.
 * @param {Record<string, string>} query of the view @param {AbortSignal} signal @returns {Promise<RecordItem[]>}
 */
export async function fetchGaps({ since = '', until = '', filters = '{}', exclude = '{}' }, signal) {
  // Only a filter on hosts leaves some of them out.
  const sources = (/** @type {string} */ json) => {
    const { source } = JSON.parse(json);
    return source ? { source } : {};
  };
  /** @type {Record<string, string>} */
  const asked = { order: until ? 'asc' : 'desc', limit: String(GAP_LIMIT) };
  if (since) asked.since = since;
  asked.filters = JSON.stringify({ type: ['recorder'], event: ['gap'], ...sources(filters) });
  const without = sources(exclude);
  if (without.source) asked.exclude = JSON.stringify(without);
  const part = await fetchPart(asked, signal);
  return part.items.filter(({ gap }) => gap !== null).map((item) => ({ ...item, strayed: true }));
}

/** What a filter hides of the acts around deaths. @param {RecordItem[]} deaths @param {Record<string, string>} query @param {AbortSignal} signal */
export async function fetchActs(deaths, { filters = '{}' }, signal) {
  const { source } = JSON.parse(filters);
  const times = deaths.map(({ at }) => at);
  const iso = (/** @type {number} */ ms) => new Date(ms).toISOString();
  const part = await fetchPart({
    since: iso(Math.min(...times) - ACTS_BEFORE_MS),
    until: iso(Math.max(...times) + ACTS_AFTER_MS),
    filters: JSON.stringify({ type: ['container'], event: ['create', 'kill', 'oom', 'stop', 'start'], ...(source ? { source } : {}) }),
    order: 'desc',
    limit: String(ACTS_LIMIT),
  }, signal);
  return part.items.flatMap(({ seq, at, told }) => (told ? [{ seq, at, ...told }] : []));
}

const ACTS_BEFORE_MS = 15 * 60_000;
/** What took its place may be made so long after. */
const ACTS_AFTER_MS = 60_000;
const ACTS_LIMIT = 2_000;

