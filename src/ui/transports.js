// The three transports behind one small interface: connect after a cursor, cut. Each resumes by its own means
// and tells its meter what it did.

import { address } from './base.js';
import { byteLength } from './meter.js';

/**
 * @typedef {import('./meter.js').Meter} Meter
 * @typedef {{connect: () => void, cut: () => void}} Transport  `connect` goes on after the last record seen
 */

const RETRY_MS = 1_000;
const POLL_MS = 1_000;
const POLL_LIMIT = '10000';

/** SSE: the browser reconnects with its Last-Event-ID; after a cut a new EventSource says it in the address. */
export class SseTransport {
  #meter;
  #lastId;
  /** @type {EventSource|null} */
  #source = null;
  #caughtUp = false;
  #hellos = 0;
  #timer = 0;

  /** @param {string} after @param {Meter} meter */
  constructor(after, meter) {
    this.#lastId = after;
    this.#meter = meter;
  }

  connect() {
    const source = new EventSource(address('api/v1/stream', { last_event_id: this.#lastId }));
    this.#source = source;
    this.#meter.requests += 1;
    source.onmessage = (message) => {
      this.#count(message, '');
      this.#meter.record(JSON.parse(message.data), this.#caughtUp);
    };
    for (const kind of ['hello', 'gap', 'reset', 'caught-up', 'checkpoint']) {
      source.addEventListener(kind, (message) => {
        this.#count(/** @type {MessageEvent} */ (message), `event: ${kind}\n`);
        if (kind === 'hello' && this.#hellos++ > 0) this.#meter.reconnects += 1;
        if (kind === 'caught-up') this.#caughtUp = true;
      });
    }
    source.onerror = () => {
      this.#caughtUp = false;
      if (this.#source !== source) return;
      if (source.readyState !== EventSource.CLOSED) this.#meter.requests += 1;
      else this.#timer = setTimeout(() => this.connect(), RETRY_MS);
    };
  }

  cut() {
    clearTimeout(this.#timer);
    this.#source?.close();
    this.#source = null;
    this.#caughtUp = false;
  }

  #count(/** @type {MessageEvent} */ { data, lastEventId }, /** @type {string} */ head) {
    this.#lastId = lastEventId;
    this.#meter.bytes += byteLength(`${head}id: ${lastEventId}\ndata: ${data}\n\n`);
  }
}

/** Polling: a broken request is asked again; the cursor is all there is to resume. */
export class PollingTransport {
  #meter;
  #after;
  #etag = '';
  #abort = new AbortController();
  /** Records of the next answer were written while nobody asked. */
  #interrupted = false;
  #observer;
  #timer = 0;

  /** @param {string} after @param {Meter} meter */
  constructor(after, meter) {
    this.#after = after;
    this.#meter = meter;
    this.#observer = new PerformanceObserver((entries) => this.#weigh(entries.getEntries()));
  }

  connect() {
    this.#abort = new AbortController();
    this.#observer.observe({ type: 'resource' });
    this.#poll(this.#abort.signal);
  }

  cut() {
    this.#abort.abort();
    clearTimeout(this.#timer);
    this.#interrupted = true;
    this.#weigh(this.#observer.takeRecords());
    this.#observer.disconnect();
  }

  /**
   * The resource timing knows the size of a body as it was sent, compression and 304s included.
   * @param {PerformanceEntryList} entries
   */
  #weigh(entries) {
    for (const entry of /** @type {PerformanceResourceTiming[]} */ (entries)) {
      // Only polls have `after` in their address.
      if (new URL(entry.name).searchParams.has('after')) this.#meter.bytes += entry.transferSize;
    }
  }

  /** @param {AbortSignal} signal */
  async #poll(signal) {
    try {
      await this.#ask(signal);
    } catch {
      this.#interrupted = true;
    }
    if (!signal.aborted) this.#timer = setTimeout(() => this.#poll(signal), POLL_MS);
  }

  /** @param {AbortSignal} signal */
  async #ask(signal) {
    this.#meter.requests += 1;
    const query = { after: this.#after, limit: POLL_LIMIT };
    /** @type {Record<string, string>} */
    const headers = this.#etag ? { 'If-None-Match': this.#etag } : {};
    const response = await fetch(address('api/v1/events', query), { signal, headers });
    if (response.status !== 304 && !response.ok) throw new Error(String(response.status));
    const isLive = !this.#interrupted;
    if (this.#interrupted) this.#meter.reconnects += 1;
    this.#interrupted = false;
    if (response.status === 304) return;
    const { records } = await response.json();
    if (signal.aborted) return;
    for (const record of records) this.#meter.record(record, isLive);
    this.#etag = records.length ? '' : response.headers.get('ETag') ?? '';
    this.#after = records.at(-1)?.id ?? this.#after;
  }
}

/** WebSocket: reconnecting and naming the place are the page's own work. */
export class WebSocketTransport {
  #meter;
  #lastId;
  /** @type {WebSocket|null} */
  #socket = null;
  #caughtUp = false;
  #hellos = 0;
  #timer = 0;

  /** @param {string} after @param {Meter} meter */
  constructor(after, meter) {
    this.#lastId = after;
    this.#meter = meter;
  }

  connect() {
    const socket = new WebSocket(address('api/v1/ws').replace('http', 'ws'));
    this.#socket = socket;
    this.#meter.requests += 1;
    socket.onopen = () => socket.send(JSON.stringify({ subscribe: { after: this.#lastId } }));
    socket.onmessage = ({ data }) => {
      if (this.#socket === socket) this.#onMessage(data);
    };
    socket.onclose = () => {
      if (this.#socket !== socket) return;
      this.#caughtUp = false;
      this.#timer = setTimeout(() => this.connect(), RETRY_MS);
    };
  }

  cut() {
    clearTimeout(this.#timer);
    const socket = this.#socket;
    this.#socket = null;
    socket?.close();
    this.#caughtUp = false;
  }

  #onMessage(/** @type {string} */ data) {
    this.#meter.bytes += byteLength(data);
    const message = JSON.parse(data);
    this.#lastId = message.id;
    if (!message.control) this.#meter.record(message, this.#caughtUp);
    else if (message.control === 'hello' && this.#hellos++ > 0) this.#meter.reconnects += 1;
    else if (message.control === 'caught-up') this.#caughtUp = true;
  }
}
