// Asks the server, and tells apart who answered. Between a page and shipslog there may be a proxy that has words of its
// own: a login, a 404 while the server starts, an error page. Only what shipslog itself refuses is final.

import { address } from './base.js';
import { serverClock } from './serverclock.js';

/** shipslog's own refusals that the same request would meet again: a mistake in it, or a cursor of no use. */
const FINAL = [400, 404, 409, 410, 413, 414, 431];

/** No usable answer. `kind`: `refused` by shipslog, `login` wanted by shipslog or by something in between, or `failed`. */
export class AnswerError extends Error {
  /** @param {'refused'|'login'|'failed'} kind @param {number} status 0 when nothing came @param {string} detail */
  constructor(kind, status, detail) {
    super(detail);
    this.name = 'AnswerError';
    this.kind = kind;
    this.status = status;
  }

  /** Asking again cannot help: the request itself is wrong. */
  get isFinal() {
    return this.kind === 'refused' && FINAL.includes(this.status);
  }

  /** shipslog knows us no longer; a proxy's login is another matter. */
  get isOurLogin() {
    return this.kind === 'login' && this.status === 401;
  }
}

const LOGIN = 'something between this page and shipslog wants a login';

/** @param {Response} response @returns {Promise<AnswerError>} */
export async function toError(response) {
  if (response.type === 'opaqueredirect') return new AnswerError('login', 0, LOGIN);
  const type = response.headers.get('Content-Type') ?? '';
  if (type.startsWith('application/problem+json')) {
    const problem = await response.json().catch(() => ({}));
    const detail = problem.detail ?? problem.title ?? `HTTP ${response.status}`;
    if (response.status === 401) return new AnswerError('login', 401, detail);
    // 5xx is trouble, not a refusal; 408, 425 and 429 ask for another try.
    const refused = response.status < 500 && ![408, 425, 429].includes(response.status);
    return new AnswerError(refused ? 'refused' : 'failed', response.status, detail);
  }
  if (response.ok && type.startsWith('text/html')) return new AnswerError('login', 0, LOGIN);
  if ([401, 407].includes(response.status)) return new AnswerError('login', 0, LOGIN);
  return new AnswerError('failed', response.status, `something between this page and shipslog answered ${response.status}`);
}

/**
 * An answer of shipslog's.
 * @param {string} path @param {Record<string, string>} [query] @param {AbortSignal} [signal]
 * @param {(response: Response) => boolean} [isAnswer] whether it is one; by default any with success
 * @param {string} [etag] of an answer that is at hand; if it still holds, the status is 304
 * @param {number} [wait] seconds that the server may wait for another answer than that one
 * @returns {Promise<Response>}
 */
export async function ask(path, query = {}, signal = undefined, isAnswer = ({ ok }) => ok, etag = '', wait = 0) {
  const asked = Date.now();
  let response;
  try {
    // Never followed: a redirect of a login's would end at a page, or be blocked as another origin's.
    const headers = etag ? { 'If-None-Match': etag, ...(wait && { Prefer: `wait=${wait}` }) } : undefined;
    response = await fetch(address(path, query), { signal, headers, cache: 'no-store', redirect: 'manual' });
  } catch (error) {
    if (signal?.aborted && /** @type {Error} */ (error).name === 'AbortError') throw error;
    throw new AnswerError('failed', 0, 'the server did not answer');
  }
  const isJson = /json/.test(response.headers.get('Content-Type') ?? '');
  const isSame = etag !== '' && response.status === 304;
  if (response.type === 'opaqueredirect' || !(isSame || (isAnswer(response) && isJson))) throw await toError(response);
  serverClock.heard(response.headers.get('Date'), asked, Date.now());
  return response;
}

/** The whole of an answer. @param {Response} response @returns {Promise<string>} */
export async function textOf(response) {
  try {
    return await response.text();
  } catch {
    throw new AnswerError('failed', 0, 'the answer broke off');
  }
}
