// One EventSource. The browser reconnects by itself with `Last-Event-ID`; what it does not do is come back after a fatal
// answer, or notice that the machine has slept. Runs in a page or in a worker that pages share; knows neither.

/**
 * @typedef {{kind: string, text: string, id: string}} Frame  `record`, or the name of a control frame
 * @typedef {'connecting'|'open'|'reconnecting'|'ended'|'closed'} LinkState
 * @typedef {{onFrame: (frame: Frame) => void, onState: (state: LinkState) => void}} LinkHandlers
 * @typedef {{open: () => void, close: () => void}} Link
 */

const CONTROLS = ['hello', 'gap', 'reset', 'incomplete', 'caught-up', 'checkpoint', 'end'];
const BACKOFF_FIRST_MS = 1_000;
const BACKOFF_MAX_MS = 30_000;
const TICK_MS = 5_000;
const SLEPT_MS = 30_000;

/** @implements {Link} */
export class Connection {
  #base;
  #query;
  #handlers;
  #isIdle;
  /** @type {EventSource|null} */
  #source = null;
  #lastId;
  #failures = 0;
  #retryTimer = 0;
  #tickTimer = 0;
  #lastTick = 0;
  /** @type {LinkState} */
  #state = 'closed';

  /**
   * @param {string} base where shipslog lives
   * @param {Record<string, string>} query parameters: a filter, and `since`, `until` and `speed` of a replay
   * @param {string|null} after cursor to start after; null means from `since`, else from the oldest record kept
   * @param {LinkHandlers} handlers @param {() => boolean} [isIdle] whether timers may be late for another reason than sleep
   */
  constructor(base, query, after, handlers, isIdle = () => false) {
    this.#base = base;
    this.#query = query;
    this.#lastId = after;
    this.#handlers = handlers;
    this.#isIdle = isIdle;
  }

  open() {
    this.#lastTick = Date.now();
    this.#tickTimer = setInterval(this.#tick, TICK_MS);
    this.#connect('connecting');
  }

  close() {
    clearInterval(this.#tickTimer);
    this.#disconnect('closed');
  }

  /** @param {LinkState} state */
  #setState(state) {
    if (state === this.#state) return;
    this.#state = state;
    this.#handlers.onState(state);
  }

  /** @param {LinkState} state */
  #disconnect(state) {
    clearTimeout(this.#retryTimer);
    this.#source?.close();
    this.#source = null;
    this.#setState(state);
  }

  /** @param {LinkState} state */
  #connect(state) {
    this.#disconnect(state);
    const source = new EventSource(this.#address());
    this.#source = source;
    source.onopen = () => this.#setState('open');
    source.onmessage = (message) => this.#onFrame('record', message);
    for (const kind of CONTROLS) source.addEventListener(kind, (message) => this.#onFrame(kind, /** @type {MessageEvent} */ (message)));
    source.onerror = () => this.#onError(source);
  }

  #address() {
    const start = this.#lastId === null ? { since: 'oldest', ...this.#query } : { ...this.#query, last_event_id: this.#lastId };
    return `${this.#base}api/v1/stream?${new URLSearchParams(start)}`;
  }

  /** @param {string} kind @param {MessageEvent} message */
  #onFrame(kind, { data, lastEventId }) {
    this.#lastId = lastEventId || this.#lastId;
    this.#failures = 0;
    this.#handlers.onFrame({ kind, text: data, id: lastEventId });
    if (kind === 'end') this.#end();
  }

  /** @param {EventSource} source */
  #onError(source) {
    if (source !== this.#source) return;
    if (source.readyState !== EventSource.CLOSED) {
      this.#setState('reconnecting');
      return;
    }
    // A status other than 200 ends an EventSource for good, without telling which status it was: a proxy's, as often.
    this.#disconnect('reconnecting');
    const ceiling = Math.min(BACKOFF_MAX_MS, BACKOFF_FIRST_MS * 2 ** this.#failures);
    this.#failures += 1;
    // Jitter, so that all pages of a restarted server do not come back in the same instant.
    this.#retryTimer = setTimeout(() => this.#again(), ceiling * (0.5 + Math.random() / 2));
  }

  async #again() {
    const over = 'until' in this.#query && (await this.#isOver());
    // Closed meanwhile.
    if (this.#state !== 'reconnecting' || this.#source !== null) return;
    if (over) this.#end();
    else this.#connect('reconnecting');
  }

  /** 204: nothing is left, and the connection was lost just before the end was told. */
  async #isOver() {
    const abort = new AbortController();
    try {
      const { status } = await fetch(this.#address(), { signal: abort.signal, cache: 'no-store', redirect: 'manual' });
      return status === 204;
    } catch {
      return false;
    } finally {
      abort.abort();
    }
  }

  #end() {
    clearInterval(this.#tickTimer);
    this.#disconnect('ended');
  }

  /** After sleep the connection may be dead while both ends believe in it. */
  #tick = () => {
    const late = Date.now() - this.#lastTick - TICK_MS;
    this.#lastTick = Date.now();
    if (late > SLEPT_MS && !this.#isIdle() && this.#source !== null) this.#connect('reconnecting');
  };
}
