// The virtualised list: any number of items, as many elements as fit on the screen. All rows have one height,
// so the place of a row is a multiplication and nothing is ever measured.

import { createRow, fillRow, isMarker } from './rows.js';

/** @typedef {import('./rows.js').Item} Item */
/** @typedef {import('./rows.js').RecordItem} RecordItem */
/** @typedef {{following: boolean, unseen: number, folded: number, records: number, dropped: number}} ListState */

const OVERSCAN_ROWS = 8;
// The front goes in steps, because taking items off an array one by one copies all the others each time.
const DROP_STEP = 2_000;

export class EventList {
  #scroller;
  #canvas;
  #onChange;
  #onOpen;
  #capacity;
  /** Everything held. @type {Item[]} */
  #items = [];
  /** What is shown: all items, or all but folded ones. @type {Item[]} */
  #shown = [];
  /** @type {HTMLElement[]} */
  #pool = [];
  #rowHeight = 24;
  #fold = true;
  #following = true;
  #unseen = 0;
  #folded = 0;
  #dropped = 0;
  #records = 0;
  /** Docker hosts that records held are of. @type {Set<string>} */
  #hosts = new Set();
  /** @type {Item|null} */
  #selected = null;
  #lastScrollTop = 0;
  #frame = 0;

  /**
   * @param {HTMLElement} scroller
   * @param {{capacity: number, onChange: (state: ListState) => void, onOpen: (item: RecordItem) => void}} options
   */
  constructor(scroller, { capacity, onChange, onOpen }) {
    this.#scroller = scroller;
    this.#capacity = capacity;
    this.#onChange = onChange;
    this.#onOpen = onOpen;
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
    return {
      following: this.#following,
      unseen: this.#unseen,
      folded: this.#folded,
      records: this.#records,
      dropped: this.#dropped,
    };
  }

  /** @returns {string[]} ids of the records held, in order, folded ones included */
  recordIds() {
    return this.#items.filter((item) => !isMarker(item)).map((item) => /** @type {RecordItem} */ (item).id);
  }

  /** @param {Item[]} items */
  append(items) {
    for (const item of items) {
      this.#items.push(item);
      if (!isMarker(item)) this.#records += 1;
      if (!isMarker(item)) this.#meetHost(item.source);
      if (!isMarker(item) && item.noise) this.#folded += 1;
      if (this.#isFolded(item)) continue;
      this.#shown.push(item);
      if (!this.#following) this.#unseen += 1;
    }
    if (this.#records > this.#capacity) this.#dropOldest();
    this.#schedule();
  }

  /** From the second host on, rows tell which one. */
  #meetHost(/** @type {string} */ host) {
    if (this.#hosts.has(host)) return;
    this.#hosts.add(host);
    if (this.#hosts.size === 2) for (const row of this.#pool) /** @type {HTMLElement & {item?: Item|null}} */ (row).item = null;
  }

  clear() {
    this.#hosts.clear();
    this.#items = [];
    this.#shown = [];
    this.#selected = null;
    this.#unseen = this.#folded = this.#dropped = this.#records = 0;
    this.#following = true;
    this.#schedule();
  }

  /** @param {boolean} fold whether health checks are left out of the view */
  setFold(fold) {
    const anchor = this.#shown[Math.floor(this.#scroller.scrollTop / this.#rowHeight)];
    this.#fold = fold;
    this.#shown = this.#items.filter((item) => !this.#isFolded(item));
    this.#unseen = 0;
    if (!this.#following && anchor) this.#scrollToRow(this.#placeOf(anchor));
    this.#schedule();
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

  /** @param {'start'|'end'} edge where a range opens is its start, where a live view opens is its end */
  showEdge(edge) {
    this.#following = edge === 'end';
    this.#unseen = 0;
    if (edge === 'start') this.#scrollToRow(0);
    this.#schedule();
  }

  /** @param {number} step moves the selection; with none yet, takes the last row on screen */
  select(step) {
    const last = this.#shown.length - 1;
    if (last < 0) return;
    const from = this.#selected === null ? -1 : this.#shown.indexOf(this.#selected);
    const bottom = Math.floor((this.#scroller.scrollTop + this.#scroller.clientHeight) / this.#rowHeight) - 1;
    const to = Math.max(0, Math.min(last, from === -1 ? bottom : from + step));
    this.#selected = this.#shown[to];
    this.#following = false;
    this.#reveal(to);
    this.#schedule();
  }

  deselect() {
    this.#selected = null;
    this.#schedule();
  }

  /** @param {Item} item */
  #isFolded(item) {
    return this.#fold && !isMarker(item) && item.noise;
  }

  /** Where an item is, or would be if it is folded now. */
  #placeOf(/** @type {Item} */ item) {
    const at = this.#shown.indexOf(item);
    if (at !== -1 || isMarker(item)) return Math.max(0, at);
    const next = this.#shown.findIndex((other) => !isMarker(other) && other.seq > item.seq);
    return next === -1 ? this.#shown.length : next;
  }

  #dropOldest() {
    const cut = this.#records - this.#capacity + DROP_STEP;
    const gone = this.#items.splice(0, cut);
    const goneRecords = gone.filter((item) => !isMarker(item));
    this.#records -= goneRecords.length;
    this.#dropped += goneRecords.length;
    this.#folded -= goneRecords.filter((item) => /** @type {RecordItem} */ (item).noise).length;
    const goneShown = gone.filter((item) => !this.#isFolded(item)).length;
    this.#shown.splice(0, goneShown);
    // A reader who looks at older rows keeps them under the eyes.
    if (!this.#following) this.#scroller.scrollTop -= goneShown * this.#rowHeight;
  }

  #atBottom() {
    const { scrollTop, clientHeight } = this.#scroller;
    return scrollTop + clientHeight >= this.#shown.length * this.#rowHeight - this.#rowHeight / 2;
  }

  #onScroll() {
    const top = this.#scroller.scrollTop;
    // Growth of the list also ends in a scroll event; only a move upwards is the reader's.
    if (this.#atBottom()) {
      if (top > this.#lastScrollTop) this.#following = true;
    } else if (top < this.#lastScrollTop) {
      this.#following = false;
    }
    if (this.#following) this.#unseen = 0;
    this.#lastScrollTop = top;
    this.#schedule();
  }

  #onResize() {
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

  #scrollToRow(/** @type {number} */ index) {
    this.#canvas.style.height = `${this.#shown.length * this.#rowHeight}px`;
    this.#scroller.scrollTop = index * this.#rowHeight;
    this.#lastScrollTop = this.#scroller.scrollTop;
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
    const height = this.#shown.length * this.#rowHeight;
    this.#canvas.style.height = `${height}px`;
    if (this.#following) {
      this.#scroller.scrollTop = height;
      this.#lastScrollTop = this.#scroller.scrollTop;
    }
    const first = Math.max(0, Math.floor(this.#scroller.scrollTop / this.#rowHeight) - OVERSCAN_ROWS);
    const end = Math.min(this.#shown.length, first + this.#pool.length);
    this.#scroller.setAttribute('aria-rowcount', String(this.#shown.length));
    this.#scroller.removeAttribute('aria-activedescendant');
    for (let offset = 0; offset < this.#pool.length; offset += 1) {
      // An index keeps its element while it is on screen, so that a scroll by one row fills one row.
      const index = first + offset;
      this.#place(this.#pool[index % this.#pool.length], index < end ? index : -1);
    }
    this.#onChange(this.state);
  }

  #place(/** @type {HTMLElement & {item?: Item|null}} */ row, /** @type {number} */ index) {
    const item = index === -1 ? null : this.#shown[index];
    row.hidden = item === null;
    if (item === null) {
      row.item = null;
      return;
    }
    if (row.item !== item) {
      row.item = item;
      fillRow(row, item, this.#hosts.size > 1);
    }
    row.style.transform = `translateY(${index * this.#rowHeight}px)`;
    row.setAttribute('aria-rowindex', String(index + 1));
    const selected = item === this.#selected;
    row.setAttribute('aria-selected', String(selected));
    if (selected) this.#scroller.setAttribute('aria-activedescendant', row.id);
  }

  #onClick(/** @type {MouseEvent} */ event) {
    const row = /** @type {(HTMLElement & {item?: Item})|null} */ (/** @type {Element} */ (event.target).closest('.row'));
    if (!row?.item || isMarker(row.item)) return;
    this.#selected = row.item;
    this.#onOpen(row.item);
    this.#schedule();
  }

  #onKey(/** @type {KeyboardEvent} */ event) {
    const page = Math.max(1, Math.floor(this.#scroller.clientHeight / this.#rowHeight) - 1);
    /** @type {Record<string, number>} */
    const steps = { ArrowUp: -1, ArrowDown: 1, PageUp: -page, PageDown: page };
    if (event.key in steps) this.select(steps[event.key]);
    else if (event.key === 'Home') this.select(-this.#shown.length);
    else if (event.key === 'End') this.follow();
    else if (event.key === 'Enter' && this.#selected && !isMarker(this.#selected)) this.#onOpen(this.#selected);
    else return;
    event.preventDefault();
  }
}
