// One axis of time: instants to pixels and back, and where it has its ticks in the zone chosen. Pure.

import { clock } from './format.js';
import { fields } from './zone.js';

const [SECOND, MINUTE, HOUR, DAY] = [1_000, 60_000, 3_600_000, 86_400_000];
const STEPS = [
  1, 2, 5, 10, 20, 50, 100, 200, 500, SECOND, 2 * SECOND, 5 * SECOND, 10 * SECOND, 15 * SECOND, 30 * SECOND,
  MINUTE, 2 * MINUTE, 5 * MINUTE, 10 * MINUTE, 15 * MINUTE, 30 * MINUTE, HOUR, 2 * HOUR, 3 * HOUR, 6 * HOUR, 12 * HOUR,
  DAY, 2 * DAY, 7 * DAY, 14 * DAY, 28 * DAY, 91 * DAY, 365 * DAY,
];
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

/** @typedef {{at: number, text: string, isDay: boolean}} Tick */

/** @param {number} at @returns {number} what a clock shows in the zone chosen, as if it were UTC */
function wall(at) {
  const [year, month, date, hours, minutes, seconds, ms] = fields(new Date(at));
  return Date.UTC(year, month - 1, date, hours, minutes, seconds, ms);
}

/** @param {number} at @returns {string} like `28 Nov` */
export function dayText(at) {
  const [, month, date] = fields(new Date(at));
  return `${date} ${MONTHS[month - 1]}`;
}

/** The shortest step of a clock that is not shorter than this. @param {number} ms */
export const stepOf = (ms) => STEPS.find((step) => step >= ms) ?? Math.ceil(ms / (365 * DAY)) * 365 * DAY;

/** A clock's time as finely as a length of time needs it. @param {number} at @param {number} fine milliseconds that must be told apart */
export const clockText = (at, fine) => clock(at).slice(0, fine >= MINUTE ? 5 : fine >= SECOND ? 8 : 12);

export class TimeScale {
  /** @param {number} from @param {number} until milliseconds since 1970 @param {number} width pixels */
  constructor(from, until, width) {
    this.from = from;
    this.until = Math.max(until, from + 1);
    this.width = width;
  }

  get span() {
    return this.until - this.from;
  }

  /** Milliseconds of one pixel. */
  get fine() {
    return this.span / Math.max(1, this.width);
  }

  /** @param {number} at */
  x(at) {
    return ((at - this.from) / this.span) * this.width;
  }

  /** @param {number} at @returns {number} percent of the axis, within it */
  part(at) {
    return Math.min(1, Math.max(0, this.x(at) / this.width)) * 100;
  }

  /** @param {number} x @returns {number} within the axis */
  at(x) {
    return this.from + Math.min(1, Math.max(0, x / Math.max(1, this.width))) * this.span;
  }

  /** At round times of the clock that is shown, also where it is changed. @param {number} apart pixels between two, at least @returns {Tick[]} */
  ticks(apart) {
    const step = stepOf(this.fine * apart);
    /** @type {Tick[]} */
    const ticks = [];
    let before = Number.NEGATIVE_INFINITY;
    for (let shown = Math.ceil(wall(this.from) / step) * step; ; shown += step) {
      // The zone's distance from UTC at that time: twice, since it may change in between.
      let at = shown - (wall(this.from) - this.from);
      at = shown - (wall(at) - at);
      if (at > this.until) return ticks;
      if (at < this.from || at <= before) continue;
      before = at;
      const isDay = wall(at) % DAY === 0 && step >= SECOND;
      ticks.push({ at, text: isDay ? dayText(at) : clockText(at, step), isDay });
    }
  }
}

/** Nearer than this, in milliseconds, nothing is zoomed. */
export const NEAREST_MS = 1_000;

/**
 * Half of an axis, or twice as much, with a time of it staying where it is.
 * @param {{from: number, until: number}} axis @param {number} at @param {1|-1} step nearer, or farther @param {{from: number, until: number}} limits
 * @returns {{from: number, until: number}|null} null: there is nothing nearer, or nothing beyond
 */
export function zoomed({ from, until }, at, step, limits) {
  const span = (until - from) * (step > 0 ? 0.5 : 2);
  if (span < NEAREST_MS) return null;
  const start = at - ((at - from) / (until - from)) * span;
  const end = Math.min(limits.until, Math.max(start, limits.from) + span);
  const next = { from: Math.max(limits.from, end - span), until: end };
  return next.from >= from && next.until <= until && step < 0 ? null : next;
}
