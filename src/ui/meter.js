// What is measured about one transport. The same counting for all three, so that none can flatter itself.

import { toDate } from './format.js';

const MAX_DELAYS = 100_000;
const utf8 = new TextEncoder();

/** @param {string} text @returns {number} */
export const byteLength = (text) => utf8.encode(text).length;

/** @param {string} iso with nanoseconds @returns {number} milliseconds since 1970, with a fraction */
export function toMs(iso) {
  const micro = /\.\d{3}(\d{1,6})/.exec(iso)?.[1] ?? '';
  return toDate(iso).getTime() + Number(`0.${micro || 0}`);
}

export class Meter {
  bytes = 0;
  requests = 0;
  records = 0;
  missed = 0;
  repeated = 0;
  reconnects = 0;
  /** Last sequence seen, or the place the stream started after. */
  lastSeq = 0;
  /** Counted while a replay after a break is still coming in. */
  replayed = 0;
  #delays = /** @type {number[]} */ ([]);

  /** @param {number} startSeq */
  constructor(startSeq) {
    this.lastSeq = startSeq;
  }

  /** @param {{seq: number, received: string}} record @param {boolean} isLive */
  record({ seq, received }, isLive) {
    if (seq <= this.lastSeq) {
      this.repeated += 1;
      return;
    }
    this.missed += seq - this.lastSeq - 1;
    this.lastSeq = seq;
    this.records += 1;
    if (!isLive) this.replayed += 1;
    else if (this.#delays.length < MAX_DELAYS) this.#delays.push(performance.timeOrigin + performance.now() - toMs(received));
  }

  /** @returns {{mean: number, p99: number}|null} milliseconds */
  delay() {
    if (this.#delays.length === 0) return null;
    const sorted = [...this.#delays].sort((a, b) => a - b);
    const mean = sorted.reduce((sum, one) => sum + one, 0) / sorted.length;
    return { mean, p99: sorted[Math.ceil(sorted.length * 0.99) - 1] };
  }
}
