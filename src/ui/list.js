// The virtualised list: as many elements as fit on the screen, over the part of the log that is held. All rows have one
// height, so the place of a row is a multiplication and nothing is ever measured. Near an end it asks for more.

import { Held } from './held.js';
import { createRow, fillRow, isMarker } from './rows.js';

/** @typedef {import('./rows.js').Item} Item */
/** @typedef {import('./rows.js').RecordItem} RecordItem */
/** @typedef {import('./held.js').End} End */
/** @typedef {{following: boolean, unseen: number, folded: number, records: number, whole: boolean, top: number, bottom: number}} ListState */
/** @typedef {HTMLElement & {item?: Item|null}} Row */

const OVERSCAN_ROWS = 8;
/** Rows beyond the screen below which more is asked for. */
const AHEAD_ROWS = 150;

export class EventList {
  held = new Held();
  #scroller;
  #canvas;
  #options;
  /** @type {Row[]} */
  #pool = [];
  #rowHeight = 24;
  #following = true;
  #unseen = 0;
  #ofSeveral = false;
  /** @type {Item|null} */
  #selected = null;
  /** How high it was. */
  #room = 0;
  #lastScrollTop = 0;
  /** Of the scroller, when it was scrolled last. */
  #height = 0;
  #frame = 0;
  /** @type {Record<End, boolean>} */
  #asking = { older: false, newer: false };

  /**
   * @param {HTMLElement} scroller
   * @param {{onChange: (state: ListState) => void, onOpen: (item: RecordItem) => void, onNeed: (end: End) => Promise<void>|null, onEdge: (end: End) => void}} options
   *   `onNeed` gives null where nothing can be asked for
   */
  constructor(scroller, options) {
    this.#scroller = scroller;
    this.#options = options;
    this.#canvas = document.createElement('div');
    this.#canvas.className = 'canvas';
    this.#canvas.setAttribute('role', 'rowgroup');
    scroller.append(this.#canvas);
    scroller.addEventListener('scroll', () => this.#onScroll(), { passive: true });
    scroller.addEventListener('keydown', (event) => this.#onKey(event));
    this.#canvas.addEventListener('click', (event) => this.#onClick(event));
    new ResizeObserver(() => this.#onResize()).observe(scroller);
    this.#onResize();
  }

  /** @returns {ListState} */
  get state() {
    const { records, folded, complete } = this.held;
    const [top, bottom] = this.#onScreen();
    return { following: this.#following, unseen: this.#unseen, folded, records, whole: complete.older && complete.newer, top, bottom };
  }

  /** @param {Item[]} items that come next; a reader elsewhere keeps what is under the eyes */
  append(items) {
    const { added, removed, judged } = this.held.append(items);
    for (const row of this.#pool) if (row.item && judged.includes(/** @type {RecordItem} */ (row.item))) row.item = null;
    if (removed && !this.#following) this.#shift(-removed);
    if (!this.#following) this.#unseen += added;
    this.#schedule();
  }

  /** @param {RecordItem[]} items that the reader scrolls down to */
  extend(items) {
    const { removed } = this.held.append(items);
    if (removed) this.#shift(-removed);
    this.#schedule();
  }

  /** @param {RecordItem[]} items that come before */
  prepend(items) {
    this.#shift(this.held.prepend(items));
    this.held.trim('newer');
    this.#schedule();
  }

  /** @param {RecordItem[]} items with places among the others */
  insert(items) {
    this.#keeping(() => this.held.insert(items));
  }

  /** @param {import('./cause.js').Act[]} acts */
  judgeBy(acts) {
    this.held.judgeBy(acts);
    this.refill();
  }

  /** @param {boolean} ofSeveral whether rows tell their Docker host */
  setHosts(ofSeveral) {
    if (this.#ofSeveral === ofSeveral) return;
    this.#ofSeveral = ofSeveral;
    this.refill();
  }

  /** What rows say has changed. @param {boolean} [zone] */
  refill(zone = false) {
    for (const row of this.#pool) row.item = null;
    if (zone) this.#keeping(() => this.held.rebuild(true));
    this.#schedule();
  }

  clear() {
    this.held.clear();
    this.#selected = null;
    this.#unseen = 0;
    this.#schedule();
  }

  /** @param {boolean} fold whether health checks are left out of the view */
  setFold(fold) {
    if (this.held.fold === fold) return;
    this.#unseen = 0;
    this.#keeping(() => {
      this.held.fold = fold;
      this.held.rebuild();
    });
  }

  follow() {
    this.#following = true;
    this.#unseen = 0;
    this.#schedule();
  }

  pause() {
    this.#following = false;
    this.#schedule();
  }

  /** @param {number} seq brings a record on screen @param {{select?: boolean, top?: boolean}} how */
  show(seq, { select = false, top = false }) {
    const row = this.held.rowOf(seq);
    const item = this.held.shown[row];
    if (select && item && !isMarker(item)) this.#selected = item;
    this.#following = false;
    const away = top ? 0 : Math.max(0, Math.floor(this.#scroller.clientHeight / 2 / this.#rowHeight) - 1) * this.#rowHeight;
    this.#scrollTo(row * this.#rowHeight - away);
    this.#schedule();
  }

  /** @param {number} step moves the selection; with none yet, takes the last row on screen */
  select(step) {
    const { shown } = this.held;
    const last = shown.length - 1;
    if (last < 0) return;
    const from = this.#selected === null ? -1 : shown.indexOf(this.#selected);
    const bottom = Math.floor((this.#scroller.scrollTop + this.#scroller.clientHeight) / this.#rowHeight) - 1;
    const to = Math.max(0, Math.min(last, from === -1 ? bottom : from + step));
    this.#selected = shown[to];
    this.#following = false;
    this.#reveal(to);
    this.#schedule();
  }

  deselect() {
    this.#selected = null;
    this.#schedule();
  }

  /** The record at the upper edge. @returns {RecordItem|null} */
  get first() {
    return this.#recordFrom(Math.floor(this.#scroller.scrollTop / this.#rowHeight), 1);
  }

  /** @param {number} row @param {1|-1} step @returns {RecordItem|null} the next record from there */
  #recordFrom(row, step) {
    const { shown } = this.held;
    for (let n = Math.min(shown.length - 1, Math.max(0, row)); n >= 0 && n < shown.length; n += step) {
      const item = shown[n];
      if (!isMarker(item) && !item.strayed) return item;
    }
    return null;
  }

  #onScreen() {
    const top = Math.floor(this.#scroller.scrollTop / this.#rowHeight);
    const bottom = Math.floor((this.#scroller.scrollTop + this.#scroller.clientHeight) / this.#rowHeight);
    return [this.#recordFrom(top, 1)?.at ?? Number.NaN, this.#recordFrom(bottom, -1)?.at ?? Number.NaN];
  }

  /** Runs a change that may move rows, and keeps the upper one where it is. @param {() => unknown} change */
  #keeping(change) {
    const row = Math.floor(this.#scroller.scrollTop / this.#rowHeight);
    const anchor = this.#recordFrom(row, 1);
    const at = anchor === null ? 0 : this.held.shown.indexOf(anchor);
    change();
    if (anchor !== null && !this.#following) this.#shift(this.held.rowOf(anchor.seq) - at);
    this.#schedule();
  }

  /** Rows came or went above the screen. @param {number} rows */
  #shift(rows) {
    if (rows !== 0) this.#scrollTo(this.#scroller.scrollTop + rows * this.#rowHeight);
  }

  #scrollTo(/** @type {number} */ top) {
    this.#canvas.style.height = `${this.held.shown.length * this.#rowHeight}px`;
    this.#scroller.scrollTop = top;
    this.#lastScrollTop = this.#scroller.scrollTop;
  }

  #atBottom() {
    // As it is drawn: rows that came since the last frame are no distance that the reader put there, and a window that grew may have
    // moved the list up by itself.
    const { scrollTop, clientHeight, scrollHeight } = this.#scroller;
    return scrollTop + clientHeight >= scrollHeight - this.#rowHeight / 2;
  }

  #onScroll() {
    const top = this.#scroller.scrollTop;
    // Growth of the list also ends in a scroll event; only a move upwards is the reader's.
    if (this.#atBottom()) {
      if (top > this.#lastScrollTop && this.held.complete.newer) this.#following = true;
    } else if (top < this.#lastScrollTop && this.#height === this.#scroller.clientHeight) {
      // Of another height than before, it was moved by what grew or shrank beside it.
      this.#following = false;
    }
    this.#height = this.#scroller.clientHeight;
    if (this.#following) this.#unseen = 0;
    this.#lastScrollTop = top;
    this.#schedule();
  }

  #onResize() {
    const { clientHeight, scrollTop } = this.#scroller;
    const row = this.#selected === null ? -1 : this.held.shown.indexOf(this.#selected);
    const top = row * this.#rowHeight;
    // The record that was opened stays in view, though it takes some of the room.
    if (row >= 0 && clientHeight < this.#room && top >= scrollTop && top < scrollTop + this.#room) this.#reveal(row);
    this.#room = clientHeight;
    const height = getComputedStyle(this.#scroller).getPropertyValue('--row-height');
    this.#rowHeight = Number.parseFloat(height) || 24;
    const wanted = Math.ceil(this.#scroller.clientHeight / this.#rowHeight) + 2 * OVERSCAN_ROWS;
    while (this.#pool.length < wanted) {
      const row = createRow();
      row.id = `row-${this.#pool.length}`;
      this.#pool.push(row);
      this.#canvas.append(row);
    }
    this.#schedule();
  }

  #reveal(/** @type {number} */ index) {
    const top = index * this.#rowHeight;
    const { scrollTop, clientHeight } = this.#scroller;
    if (top < scrollTop) this.#scroller.scrollTop = top;
    else if (top + this.#rowHeight > scrollTop + clientHeight) this.#scroller.scrollTop = top + this.#rowHeight - clientHeight;
  }

  #schedule() {
    this.#frame ||= requestAnimationFrame(() => {
      this.#frame = 0;
      this.#draw();
    });
  }

  #draw() {
    const { shown } = this.held;
    const height = shown.length * this.#rowHeight;
    this.#canvas.style.height = `${height}px`;
    if (this.#following) {
      this.#scroller.scrollTop = height;
      this.#lastScrollTop = this.#scroller.scrollTop;
    }
    const first = Math.max(0, Math.floor(this.#scroller.scrollTop / this.#rowHeight) - OVERSCAN_ROWS);
    const end = Math.min(shown.length, first + this.#pool.length);
    this.#scroller.setAttribute('aria-rowcount', String(shown.length));
    this.#scroller.removeAttribute('aria-activedescendant');
    for (let offset = 0; offset < this.#pool.length; offset += 1) {
      // An index keeps its element while it is on screen, so that a scroll by one row fills one row.
      const index = first + offset;
      this.#place(this.#pool[index % this.#pool.length], index < end ? index : -1);
    }
    this.#options.onChange(this.state);
    this.#want('older', first < AHEAD_ROWS);
    this.#want('newer', end > shown.length - AHEAD_ROWS);
  }

  /** @param {End} end @param {boolean} isNear */
  #want(end, isNear) {
    if (!isNear || this.#asking[end] || this.held.complete[end]) return;
    const asked = this.#options.onNeed(end);
    if (asked === null) return;
    this.#asking[end] = true;
    asked.finally(() => {
      this.#asking[end] = false;
      this.#schedule();
    });
  }

  #place(/** @type {Row} */ row, /** @type {number} */ index) {
    const item = index === -1 ? null : this.held.shown[index];
    row.hidden = item === null;
    if (item === null) {
      row.item = null;
      return;
    }
    if (row.item !== item) {
      row.item = item;
      fillRow(row, item, this.#ofSeveral);
    }
    row.style.transform = `translateY(${index * this.#rowHeight}px)`;
    // On paper rows stand one after the other.
    row.style.order = String(index);
    row.setAttribute('aria-rowindex', String(index + 1));
    const selected = item === this.#selected;
    row.setAttribute('aria-selected', String(selected));
    if (selected) this.#scroller.setAttribute('aria-activedescendant', row.id);
  }

  #onClick(/** @type {MouseEvent} */ event) {
    const row = /** @type {Row|null} */ (/** @type {Element} */ (event.target).closest('.row'));
    if (!row?.item || isMarker(row.item)) return;
    this.#selected = row.item;
    this.#options.onOpen(row.item);
    this.#schedule();
  }

  #onKey(/** @type {KeyboardEvent} */ event) {
    const page = Math.max(1, Math.floor(this.#scroller.clientHeight / this.#rowHeight) - 1);
    /** @type {Record<string, number>} */
    const steps = { ArrowUp: -1, ArrowDown: 1, PageUp: -page, PageDown: page };
    if (event.key in steps) this.select(steps[event.key]);
    else if (event.key === 'Home') this.#options.onEdge('older');
    else if (event.key === 'End') this.#options.onEdge('newer');
    else if (event.key === 'Enter' && this.#selected && !isMarker(this.#selected)) this.#options.onOpen(this.#selected);
    else return;
    event.preventDefault();
  }
}
