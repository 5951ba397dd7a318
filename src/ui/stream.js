// A stream as the page sees it: frames in order, and a state. Live streams are shared by all tabs; a replay has a pace of
// its own and thus its own connection. A tab that is hidden for a while lets go of it.

import { BASE } from './base.js';
import { Connection } from './connection.js';
import { SharedConnection } from './shared.js';

/**
 * @typedef {'connecting'|'catching-up'|'live'|'reconnecting'|'resting'|'ended'|'closed'} StreamState
 *
 * @typedef {object} StreamHandlers
 * @property {(line: string, id: string) => void} onRecord
 * @property {(kind: string, text: string, id: string) => void} onControl
 * @property {(state: StreamState) => void} onState
 */

// A browser allows six HTTP/1.1 connections to one host, and tabs with other filters want theirs.
const REST_AFTER_HIDDEN_MS = 60_000;

export class Stream {
  #query;
  #handlers;
  #lastId;
  /** @type {import('./connection.js').Link|null} */
  #link = null;
  #restTimer = 0;
  #isCaughtUp = false;
  #wasOpen = false;
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
    this.#connect();
    // A tab may be hidden from the start, and then no event says so.
    this.#onVisibility();
  }

  close() {
    document.removeEventListener('visibilitychange', this.#onVisibility);
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
    const link = this.#link;
    this.#link = null;
    link?.close();
    this.#setState(state);
  }

  #connect() {
    this.#isCaughtUp = false;
    const handlers = {
      onFrame: (/** @type {import('./connection.js').Frame} */ frame) => {
        if (this.#link === link) this.#onFrame(frame);
      },
      onState: (/** @type {import('./connection.js').LinkState} */ state) => {
        if (this.#link === link) this.#onLink(state);
      },
    };
    /** @type {import('./connection.js').Link} */
    const link = 'speed' in this.#query
      ? new Connection(BASE, this.#query, this.#lastId, handlers, () => document.hidden)
      : new SharedConnection(this.#query, this.#lastId, handlers);
    this.#link = link;
    link.open();
  }

  /** @param {import('./connection.js').LinkState} state */
  #onLink(state) {
    if (state === 'open') {
      this.#wasOpen = true;
      if (!this.#isCaughtUp) this.#setState('catching-up');
    } else if (state === 'ended') {
      clearTimeout(this.#restTimer);
      this.#disconnect('ended');
    } else {
      this.#isCaughtUp = false;
      this.#setState(this.#wasOpen || state === 'reconnecting' ? 'reconnecting' : 'connecting');
    }
  }

  /** @param {import('./connection.js').Frame} frame */
  #onFrame({ kind, text, id }) {
    this.#lastId = id || this.#lastId;
    if (kind === 'record') {
      this.#handlers.onRecord(text, id);
      return;
    }
    if (kind === 'caught-up') this.#isCaughtUp = true;
    this.#handlers.onControl(kind, text, id);
    if (kind === 'caught-up') this.#setState('live');
  }

  #onVisibility = () => {
    clearTimeout(this.#restTimer);
    if (this.#state === 'ended' || this.#state === 'closed') return;
    if (document.hidden) {
      if (this.#state !== 'resting') this.#restTimer = setTimeout(() => this.#disconnect('resting'), REST_AFTER_HIDDEN_MS);
    } else if (this.#state === 'resting') {
      this.#connect();
    }
  };
}
