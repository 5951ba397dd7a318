// One EventSource with its state. The browser reconnects by itself with `Last-Event-ID`; what it does not do is
// come back after a fatal answer, give way to other tabs while hidden, or notice that the machine has slept.
// A stream with an `until` ends.

/**
 * @typedef {'connecting'|'catching-up'|'live'|'reconnecting'|'resting'|'ended'|'closed'} StreamState
 *
 * @typedef {object} StreamHandlers
 * @property {(line: string, id: string) => void} onRecord
 * @property {(kind: string, data: any, id: string) => void} onControl
 * @property {(state: StreamState) => void} onState
 */

const CONTROLS = ['hello', 'gap', 'reset', 'caught-up', 'checkpoint', 'end'];
const BACKOFF_FIRST_MS = 1_000;
const BACKOFF_MAX_MS = 30_000;
const TICK_MS = 5_000;
const SLEPT_MS = 30_000;
// A browser allows six HTTP/1.1 connections to one host. Six open tabs would keep the seventh from loading.
const REST_AFTER_HIDDEN_MS = 60_000;

export class Stream {
  #query;
  #handlers;
  /** @type {EventSource|null} */
  #source = null;
  #lastId;
  #failures = 0;
  #retryTimer = 0;
  #restTimer = 0;
  #tickTimer = 0;
  #lastTick = 0;
  /** @type {StreamState} */
  #state = 'closed';

  /**
   * @param {Record<string, string>} query parameters: a filter, and `since`, `until` and `speed` of a replay
   * @param {string|null} after cursor to start after; null means from `since`, else from the oldest record kept
   * @param {StreamHandlers} handlers
   */
  constructor(query, after, handlers) {
    this.#query = query;
    this.#lastId = after;
    this.#handlers = handlers;
  }

  open() {
    document.addEventListener('visibilitychange', this.#onVisibility);
    this.#lastTick = Date.now();
    this.#tickTimer = setInterval(this.#tick, TICK_MS);
    this.#connect('connecting');
  }

  close() {
    document.removeEventListener('visibilitychange', this.#onVisibility);
    clearInterval(this.#tickTimer);
    clearTimeout(this.#restTimer);
    this.#disconnect('closed');
  }

  /** @param {StreamState} state */
  #setState(state) {
    if (state === this.#state) return;
    this.#state = state;
    this.#handlers.onState(state);
  }

  /** @param {StreamState} state */
  #disconnect(state) {
    clearTimeout(this.#retryTimer);
    this.#source?.close();
    this.#source = null;
    this.#setState(state);
  }

  /** @param {StreamState} state */
  #connect(state) {
    this.#disconnect(state);
    const source = new EventSource(this.#address());
    this.#source = source;
    source.onopen = () => this.#setState('catching-up');
    source.onmessage = (message) => {
      this.#lastId = message.lastEventId;
      this.#handlers.onRecord(message.data, message.lastEventId);
    };
    for (const kind of CONTROLS) {
      source.addEventListener(kind, (message) => this.#onControl(kind, /** @type {MessageEvent} */ (message)));
    }
    source.onerror = () => this.#onError(source);
  }

  #address() {
    const start = this.#lastId === null ? { since: 'oldest', ...this.#query } : { ...this.#query, last_event_id: this.#lastId };
    return `/api/v1/stream?${new URLSearchParams(start)}`;
  }

  /** @param {string} kind @param {MessageEvent} message */
  #onControl(kind, message) {
    this.#lastId = message.lastEventId || this.#lastId;
    this.#failures = 0;
    this.#handlers.onControl(kind, JSON.parse(message.data), message.lastEventId);
    if (kind === 'caught-up') this.#setState('live');
    if (kind === 'end') this.#end();
  }

  /** @param {EventSource} source */
  #onError(source) {
    if (source.readyState !== EventSource.CLOSED) {
      this.#setState('reconnecting');
      return;
    }
    // A status other than 200 ends an EventSource for good, without telling which status it was.
    this.#disconnect('reconnecting');
    const ceiling = Math.min(BACKOFF_MAX_MS, BACKOFF_FIRST_MS * 2 ** this.#failures);
    this.#failures += 1;
    // Jitter, so that all pages of a restarted server do not come back in the same instant.
    this.#retryTimer = setTimeout(() => this.#again(), ceiling * (0.5 + Math.random() / 2));
  }

  async #again() {
    const over = 'until' in this.#query && (await this.#isOver());
    // Closed, or set to rest, meanwhile.
    if (this.#state !== 'reconnecting' || this.#source !== null) return;
    if (over) this.#end();
    else this.#connect('reconnecting');
  }

  /** 204: nothing is left, and the connection was lost just before the end was told. */
  async #isOver() {
    const abort = new AbortController();
    try {
      const { status } = await fetch(this.#address(), { signal: abort.signal, cache: 'no-store' });
      return status === 204;
    } catch {
      return false;
    } finally {
      abort.abort();
    }
  }

  #end() {
    clearTimeout(this.#restTimer);
    this.#disconnect('ended');
  }

  #onVisibility = () => {
    clearTimeout(this.#restTimer);
    if (this.#state === 'ended') return;
    if (document.hidden) {
      this.#restTimer = setTimeout(() => this.#disconnect('resting'), REST_AFTER_HIDDEN_MS);
    } else if (this.#state === 'resting') {
      this.#connect('reconnecting');
    }
  };

  /** After sleep the connection may be dead while both ends believe in it. */
  #tick = () => {
    const late = Date.now() - this.#lastTick - TICK_MS;
    this.#lastTick = Date.now();
    if (late > SLEPT_MS && !document.hidden && this.#source !== null) this.#connect('reconnecting');
  };
}
