// The part of the log that the page holds: a stretch of it without a hole, under the filter, which grows at both ends
// and is cut at the end that is farther from the reader. Pure: no DOM, no connection.

import { Causes } from './cause.js';
import { dayNumber, dayText } from './items.js';
import { isMarker } from './rows.js';

/**
 * @typedef {import('./rows.js').Item} Item
 * @typedef {import('./rows.js').RecordItem} RecordItem
 * @typedef {'older'|'newer'} End
 */

/** Items that are held; a screen shows some fifty. */
export const MAX_ITEMS = 30_000;
/** Characters of all their lines together; a record may have a million. */
export const MAX_CHARS = 30_000_000;
/** The end goes in steps, because taking items off an array one by one copies all the others each time. */
const DROP_STEP = 2_000;

export class Held {
  /** What is shown: records that are not folded, markers, and a line wherever the day changes. @type {Item[]} */
  shown = [];
  fold = true;
  /** Whether nothing lies beyond that end, as far as was asked. */
  complete = { older: false, newer: false };
  /** Health checks among what is held. */
  folded = 0;
  records = 0;
  /** Docker hosts of all records that were ever held. @type {Set<string>} */
  sources = new Set();
  /** Everything held, in the order of the log. @type {Item[]} */
  #items = [];
  #chars = 0;
  #causes = new Causes();
  /** Acts of containers that the filter hides. @type {import('./cause.js').Act[]} */
  #hidden = [];
  #lastDay = 0;
  /** Sequences of gaps that the filter would hide. @type {Set<number>} */
  #strayed = new Set();

  /** @returns {RecordItem|null} */
  get oldest() {
    return /** @type {RecordItem|undefined} */ (this.#items.find((item) => !isMarker(item) && !item.strayed)) ?? null;
  }

  /** @returns {RecordItem|null} */
  get newest() {
    return /** @type {RecordItem|undefined} */ (this.#items.findLast((item) => !isMarker(item) && !item.strayed)) ?? null;
  }

  /** @returns {string[]} ids of the records held, in order, folded ones included; without markers of gaps from elsewhere */
  ids() {
    return /** @type {RecordItem[]} */ (this.#items.filter((item) => !isMarker(item) && !item.strayed)).map(({ id }) => id);
  }

  clear() {
    this.shown = [];
    this.#items = [];
    this.#hidden = [];
    this.#causes = new Causes();
    this.#strayed.clear();
    this.folded = this.records = this.#chars = this.#lastDay = 0;
    this.complete = { older: false, newer: false };
  }

  /**
   * What comes next, at the newer end.
   * @param {Item[]} items @returns {{added: number, removed: number, judged: RecordItem[]}} rows, and deaths that are judged anew
   */
  append(items) {
    this.#giveWay(items);
    const before = this.shown.length;
    const judged = [];
    for (const item of items) {
      this.#items.push(item);
      this.#count(item, 1);
      const died = isMarker(item) ? null : this.#causes.take(item);
      if (died) judged.push(died);
      this.#show(item);
    }
    const added = this.shown.length - before;
    return { added, removed: this.#overfull ? this.drop('older') : 0, judged };
  }

  /** What lies before. @param {RecordItem[]} items in order @returns {number} rows that came before the ones shown */
  prepend(items) {
    this.#giveWay(items);
    const at = this.shown.findIndex((item) => !isMarker(item) || item.marker !== 'day');
    const anchor = this.shown[at];
    this.#items = [...items, ...this.#items];
    for (const item of items) this.#count(item, 1);
    this.rebuild();
    return anchor ? this.shown.indexOf(anchor) - at : 0;
  }

  /**
   * Takes items in at their place, those that are held already left out.
   * @param {RecordItem[]} items @returns {boolean} whether anything was new
   */
  insert(items) {
    const held = new Set(this.#items.flatMap((item) => (isMarker(item) ? [] : [item.seq])));
    const fresh = items.filter(({ seq }) => !held.has(seq));
    if (fresh.length === 0) return false;
    for (const item of fresh) {
      let at = this.#items.findLastIndex((other) => (other.seq ?? Number.POSITIVE_INFINITY) < item.seq);
      // A marker has no sequence of its own and stays with what it stands after.
      while (at + 1 < this.#items.length && isMarker(this.#items[at + 1]) && this.#items[at + 1].seq === undefined) at += 1;
      this.#items.splice(at + 1, 0, item);
      this.#count(item, 1);
    }
    this.rebuild();
    return true;
  }

  /** A gap that was shown in spite of a filter gives way to the same record as an answer. @param {Item[]} items */
  #giveWay(items) {
    if (this.#strayed.size === 0) return;
    const double = new Set(items.flatMap((item) => (!isMarker(item) && this.#strayed.has(item.seq) ? [item.seq] : [])));
    if (double.size === 0) return;
    for (const item of this.#items) if (!isMarker(item) && double.has(item.seq)) this.#count(item, -1);
    this.#items = this.#items.filter((item) => isMarker(item) || !double.has(item.seq));
    this.rebuild();
  }

  /** @param {import('./cause.js').Act[]} acts */
  judgeBy(acts) {
    const known = new Set(this.#hidden.map(({ seq }) => seq));
    this.#hidden = [...this.#hidden, ...acts.filter(({ seq }) => !known.has(seq))].sort((a, b) => a.seq - b.seq).slice(-MAX_ITEMS);
    this.rebuild();
  }

  get #overfull() {
    return this.#items.length > MAX_ITEMS || this.#chars > MAX_CHARS;
  }

  /** @param {End} end @returns {number} rows that are gone from there; 0 when there is room */
  trim(end) {
    return this.#overfull ? this.drop(end) : 0;
  }

  /** @param {End} end @returns {number} rows that are gone */
  drop(end) {
    let count = Math.max(0, this.#items.length - MAX_ITEMS) + DROP_STEP;
    let chars = this.#chars;
    const at = (/** @type {number} */ n) => this.#items[end === 'older' ? n : this.#items.length - 1 - n];
    for (let n = 0; n < this.#items.length - 1 && (n < count || chars > MAX_CHARS); n += 1) {
      const item = at(n);
      chars -= isMarker(item) ? 0 : item.line.length;
      count = Math.max(count, n + 1);
    }
    count = Math.min(count, this.#items.length - 1);
    const gone = end === 'older' ? this.#items.splice(0, count) : this.#items.splice(this.#items.length - count);
    for (const item of gone) this.#count(item, -1);
    this.complete[end] = false;
    const before = this.shown.length;
    this.rebuild();
    return before - this.shown.length;
  }

  /** Folding, the zone, or what is known of the causes has changed. @param {boolean} [zone] */
  rebuild(zone = false) {
    this.shown = [];
    this.#lastDay = 0;
    this.#causes.judge(/** @type {RecordItem[]} */ (this.#items.filter((item) => !isMarker(item))), this.#hidden);
    for (const item of this.#items) {
      if (zone && !isMarker(item)) item.day = dayNumber(item.at);
      this.#show(item);
    }
  }

  /** @param {number} seq @returns {number} the row of a record, or the one after which it would be; 0 for none */
  rowOf(seq) {
    let last = 0;
    for (let n = 0; n < this.shown.length; n += 1) {
      const item = this.shown[n];
      if (isMarker(item)) continue;
      if (item.seq >= seq) return n;
      last = n;
    }
    return last;
  }

  /** @param {Item} item @param {1|-1} sign */
  #count(item, sign) {
    if (isMarker(item)) return;
    this.#chars += sign * item.line.length;
    if (!item.strayed) this.records += sign;
    else if (sign > 0) this.#strayed.add(item.seq);
    else this.#strayed.delete(item.seq);
    if (item.noise) this.folded += sign;
    if (item.source) this.sources.add(item.source);
  }

  /** @param {Item} item */
  #show(item) {
    if (!isMarker(item)) {
      if (this.fold && item.noise) return;
      // Event times are not monotonic: a straggler from before midnight does not turn the page back.
      if (item.day > this.#lastDay) {
        this.#lastDay = item.day;
        this.shown.push({ marker: 'day', text: dayText(item.day) });
      }
    }
    this.shown.push(item);
  }
}
