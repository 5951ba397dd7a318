// Stored records over GET /api/v1/events. Every record is handed on as the text the server sent.

import { splitPage } from './verbatim.js';

/**
 * @typedef {{id: string, oldest: number, head: number}} LogBounds
 * @typedef {{records: string[], next: string|null, log: LogBounds}} Page
 */

/** An answer other than 2xx, in the server's own words (RFC 9457). */
export class ApiError extends Error {
  /** @param {number} status @param {string} detail */
  constructor(status, detail) {
    super(detail);
    this.name = 'ApiError';
    this.status = status;
  }

  /** Asking again cannot help: the request itself is wrong. A login, which 401 wants, may come in another tab. */
  get isFinal() {
    return this.status >= 400 && this.status < 500 && ![401, 408, 429].includes(this.status);
  }
}

/** @param {Response} response @returns {Promise<ApiError>} */
async function toError(response) {
  const problem = await response.json().catch(() => ({}));
  return new ApiError(response.status, problem.detail ?? problem.title ?? `HTTP ${response.status}`);
}

/**
 * @param {Record<string, string>} query @param {AbortSignal} [signal]
 * @returns {Promise<Page>}
 */
export async function fetchPage(query, signal) {
  const response = await fetch(`/api/v1/events?${new URLSearchParams(query)}`, { signal, cache: 'no-store' });
  if (!response.ok) throw await toError(response);
  const { records, envelope } = splitPage(await response.text());
  return { records, next: envelope.page?.next ?? null, log: envelope.log };
}

/**
 * The newest records in the order of the log, and the place after which a stream must start so that nothing
 * lies between the two.
 * @param {Record<string, string>} filter @param {number} limit @param {AbortSignal} signal
 * @returns {Promise<{records: string[], log: LogBounds, after: number|null}>} `after` is null when nothing is stored
 */
export async function fetchRecent(filter, limit, signal) {
  // Under a filter the newest match may be far behind the head, and a stream from there would read all of it
  // again. A head taken before the query is safe: whatever matches up to it is in the answer.
  const filtered = Object.keys(filter).length > 0;
  const headBefore = filtered ? (await fetchPage({ order: 'desc', limit: '1' }, signal)).log.head : 0;
  const page = await fetchPage({ ...filter, order: 'desc', limit: String(limit) }, signal);
  const newest = page.records.length ? JSON.parse(page.records[0]).seq : 0;
  return { records: page.records.reverse(), log: page.log, after: Math.max(newest, headBefore) || null };
}

/**
 * All pages of a range, oldest first.
 * @param {Record<string, string>} query @param {number} pageSize @param {AbortSignal} signal
 * @returns {AsyncGenerator<Page>}
 */
export async function* fetchRange(query, pageSize, signal) {
  const base = { ...query, order: 'asc', limit: String(pageSize) };
  let cursor = null;
  do {
    const page = await fetchPage(cursor === null ? base : { ...base, cursor }, signal);
    yield page;
    cursor = page.next;
  } while (cursor !== null);
}
