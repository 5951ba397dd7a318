// A part of the API that is asked again and again: by its tag, so that nothing is sent where nothing is new, and the more
// rarely the longer an answer takes.

import { AnswerError, ask, textOf } from './answers.js';

/** Between two questions, in milliseconds. */
const EVERY_MS = 500;
/** While an answer takes long, so many times as long passes before the next question. */
const PATIENCE = 10;

/** One question, asked again for as long as it may have another answer. */
export class Polled {
  /** @type {any} */
  data = null;
  #path;
  #onData;
  #etag = '';
  #query = '';
  /** @type {AbortController|null} */
  #asking = null;
  /** When it may be asked again. */
  #next = 0;

  /** @param {string} path @param {(data: any) => void} onData */
  constructor(path, onData) {
    this.#path = path;
    this.#onData = onData;
  }

  /** @param {Record<string, string>} query @param {boolean} isNew asked at once, whatever was asked before */
  async ask(query, isNew) {
    if (!isNew && (this.#asking !== null || Date.now() < this.#next)) return;
    this.#asking?.abort();
    const asking = (this.#asking = new AbortController());
    const text = JSON.stringify(query);
    if (text !== this.#query) this.#etag = '';
    this.#query = text;
    const began = Date.now();
    try {
      const response = await ask(this.#path, query, asking.signal, ({ ok }) => ok, this.#etag);
      if (response.status !== 304) {
        const data = JSON.parse(await textOf(response));
        if (asking !== this.#asking) return;
        this.#etag = response.headers.get('ETag') ?? '';
        this.data = data;
        this.#onData(data);
      }
    } catch (error) {
      // That the server does not answer is said elsewhere; what is drawn stays the best there is.
      if (!(error instanceof AnswerError) && /** @type {Error} */ (error).name !== 'AbortError') throw error;
    } finally {
      if (asking === this.#asking) this.#asking = null;
      this.#next = Date.now() + Math.max(EVERY_MS, (Date.now() - began) * PATIENCE);
    }
  }
}
