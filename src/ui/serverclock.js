// What the server's clock says, as far as the `Date` of its answers tells. It decides what "15m" is: the events were
// stamped by it or by clocks near it, and that of a laptop may be anywhere.

/** Less than this cannot be told from the way that an answer takes. */
const TOLD_FROM_MS = 2_000;
/** An old bound may be of a clock that has been set since. */
const FORGET_AFTER_MS = 10 * 60_000;

export class ServerClock {
  /** Up to when a log goes that nobody writes, in milliseconds since 1970; NaN: it goes on. */
  end = Number.NaN;
  /** Whether it is known if the log goes on. */
  isKnown = false;
  /** What server less browser lies between, in milliseconds. @type {{low: number, high: number, at: number}|null} */
  #offset = null;

  /** @param {string|null} date the header, whole seconds @param {number} asked @param {number} answered browser's clock */
  heard(date, asked, answered) {
    const seconds = Date.parse(date ?? '');
    if (Number.isNaN(seconds)) return;
    const [low, high] = [seconds - answered, seconds + 1_000 - asked];
    const known = this.#offset;
    const fits = known && answered - known.at < FORGET_AFTER_MS && low <= known.high && high >= known.low;
    this.#offset = fits
      ? { low: Math.max(low, known.low), high: Math.min(high, known.high), at: known.at }
      : { low, high, at: answered };
  }

  /** Server less browser in milliseconds; 0 while a difference cannot be told. */
  get offset() {
    if (this.#offset === null) return 0;
    const { low, high } = this.#offset;
    if (low > TOLD_FROM_MS || high < -TOLD_FROM_MS) return Math.round((low + high) / 2);
    return 0;
  }

  /** Whether the log is a stored one. */
  get isStopped() {
    return !Number.isNaN(this.end);
  }

  /** What "15m" is counted back from: of a stored log, its end. @param {number} [now] of the browser @returns {number} milliseconds since 1970 */
  now(now = Date.now()) {
    return this.isStopped ? this.end : now + this.offset;
  }
}

export const serverClock = new ServerClock();
