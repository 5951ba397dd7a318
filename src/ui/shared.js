// A tab's end of the shared worker: behaves like a connection of its own, and becomes one where there is no worker.

import { BASE } from './base.js';
import { Connection } from './connection.js';

/** @typedef {import('./connection.js').LinkHandlers} LinkHandlers */

const ALIVE_MS = 20_000;
/** A worker that does not answer by then does not run. One that cannot run says so at once, mostly. */
const ANSWER_MS = 20_000;

let isBroken = typeof SharedWorker === 'undefined';
/** @type {MessagePort|null} */
let port = null;
/** @type {Map<number, SharedConnection>} */
const joined = new Map();
let numbers = 0;

/** @returns {MessagePort|null} to the worker, if one can be had */
function worker() {
  if (port !== null || isBroken) return port;
  try {
    const shared = new SharedWorker(new URL('worker.js', import.meta.url), { type: 'module', name: 'shipslog' });
    shared.onerror = giveUp;
    port = shared.port;
    port.onmessage = ({ data }) => joined.get(data.number)?.onMessage(data);
  } catch {
    isBroken = true;
  }
  return port;
}

function giveUp() {
  isBroken = true;
  for (const link of [...joined.values()]) link.goAlone();
  port = null;
}

/** @implements {import('./connection.js').Link} */
export class SharedConnection {
  #query;
  #handlers;
  #lastId;
  #number = 0;
  #timer = 0;
  #alive = 0;
  #isOpen = false;
  /** @type {Connection|null} */
  #own = null;

  /** @param {Record<string, string>} query @param {string|null} after @param {LinkHandlers} handlers */
  constructor(query, after, handlers) {
    this.#query = query;
    this.#lastId = after;
    this.#handlers = handlers;
  }

  open() {
    this.#isOpen = true;
    const port = worker();
    if (port === null) return this.goAlone();
    this.#handlers.onState('connecting');
    this.#join(port);
    this.#alive = setInterval(() => port.postMessage({ kind: 'alive', number: this.#number }), ALIVE_MS);
    this.#timer = setTimeout(giveUp, ANSWER_MS);
    // A page that is kept for the way back must not keep the stream.
    addEventListener('pagehide', this.#leave);
    addEventListener('pageshow', this.#onShow);
  }

  close() {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    clearTimeout(this.#timer);
    clearInterval(this.#alive);
    removeEventListener('pagehide', this.#leave);
    removeEventListener('pageshow', this.#onShow);
    this.#leave();
    this.#own?.close();
  }

  /** There is no worker: a connection of its own. */
  goAlone() {
    clearTimeout(this.#timer);
    clearInterval(this.#alive);
    // Should the worker run after all, it is not to keep a stream for this tab.
    this.#leave();
    if (!this.#isOpen || this.#own) return;
    this.#own = new Connection(BASE, this.#query, this.#lastId, this.#handlers, () => document.hidden);
    this.#own.open();
  }

  /** @param {any} message */
  onMessage({ kind, frame, state }) {
    if (!this.#isOpen) return;
    if (kind === 'joined') clearTimeout(this.#timer);
    else if (kind === 'state') this.#handlers.onState(state);
    else if (kind === 'gone' && port) this.#join(port);
    else if (kind === 'frame') {
      if (frame.id) this.#lastId = frame.id;
      this.#handlers.onFrame(frame);
    }
  }

  #join(/** @type {MessagePort} */ to) {
    joined.delete(this.#number);
    this.#number = ++numbers;
    joined.set(this.#number, this);
    to.postMessage({ kind: 'join', number: this.#number, query: this.#query, after: this.#lastId });
  }

  #leave = () => {
    if (!joined.delete(this.#number)) return;
    port?.postMessage({ kind: 'leave', number: this.#number });
  };

  #onShow = (/** @type {PageTransitionEvent} */ { persisted }) => {
    if (persisted && port && !this.#own) this.#join(port);
  };
}
