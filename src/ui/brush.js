// Chooses a part of the axis. Pointer: drag; at an edge to move it; a click takes a bin and half of each beside it. Keys: ←
// and → move it, with Shift they widen it, ↑ and ↓ widen and narrow, Esc clears.

import { spanText } from './format.js';
import { write } from './dom.js';
import { html } from './svg.js';
import { clockText } from './timescale.js';

/** Less far than this, in pixels, a pointer has clicked. */
const CLICK = 4;
/** So near to an edge, in pixels, it is the edge that is dragged. */
const EDGE = 7;
/** After the last key, in milliseconds, the choice is made. */
const KEY_MS = 200;
/** A second click comes so soon, in milliseconds. */
const CLICK_MS = 250;
const STEPS = 1_000;

/** @typedef {{from: number, until: number}} Range milliseconds since 1970 */

/** What a key makes of a range. @param {string} key @param {boolean} shift @param {Range} range @param {number} step @param {Range} axis @returns {Range|null} */
export function keyed(key, shift, { from, until }, step, axis) {
  const [back, on] = [key === 'ArrowLeft', key === 'ArrowRight'];
  let next = { from, until };
  if (back || on) {
    if (!shift) {
      const by = back ? Math.max(-step, axis.from - from) : Math.min(step, axis.until - until);
      next = { from: from + by, until: until + by };
    } else if (back) next.from -= step;
    else next.until += step;
  } else if (key === 'ArrowUp') next = { from: from - step, until: until + step };
  else if (key === 'ArrowDown') next = until - from > 3 * step ? { from: from + step, until: until - step } : next;
  else if (key === 'Home') next = { from: axis.from, until: axis.from + (until - from) };
  else if (key === 'End') next = { from: axis.until - (until - from), until: axis.until };
  else return null;
  return { from: Math.max(axis.from, next.from), until: Math.min(axis.until, next.until) };
}

export class Brush {
  #root;
  #shade = html('div', { class: 'ch-shade' });
  #label = html('span', { class: 'ch-length' });
  #follower;
  #actions;
  /** @type {import('./timescale.js').TimeScale|null} */
  #scale = null;
  #bin = 1;
  /** @type {Range|null} */
  #range = null;
  /** The end that stays, while the other is dragged; and where the pointer went down. @type {{anchor: number, x: number, moved: boolean}|null} */
  #drag = null;
  #frame = 0;
  #timer = 0;

  /**
   * @param {HTMLElement} root over the plot @param {HTMLElement} follower moves along, over the lanes
   * @param {{choose: (range: Range|null) => void, worst: () => number|null, point: (x: number|null) => void, contents: (range: Range) => string, back: () => void}} actions
   */
  constructor(root, follower, actions) {
    this.#root = root;
    this.#follower = follower;
    this.#actions = actions;
    this.#shade.append(this.#label);
    root.append(this.#shade);
    root.addEventListener('pointerdown', (event) => this.#down(event));
    root.addEventListener('pointermove', (event) => this.#move(event));
    root.addEventListener('pointerup', () => this.#up());
    root.addEventListener('pointerleave', () => actions.point(null));
    root.addEventListener('pointercancel', () => this.#drop());
    root.addEventListener('dblclick', () => {
      clearTimeout(this.#timer);
      this.#timer = 0;
      actions.back();
    });
    root.addEventListener('keydown', (event) => this.#key(event));
    this.#draw();
  }

  /** @param {import('./timescale.js').TimeScale} scale @param {number} bin milliseconds @param {Range|null} range */
  set(scale, bin, range) {
    this.#scale = scale;
    this.#bin = bin;
    if (this.#drag === null && this.#timer === 0) this.#range = range;
    this.#draw();
  }

  /** @param {PointerEvent} event */
  #x(event) {
    return event.clientX - this.#root.getBoundingClientRect().left;
  }

  /** Which end of the range is under a pointer: the other one stays. @param {number} x @returns {number|null} */
  #opposite(x) {
    if (this.#range === null || this.#scale === null) return null;
    const [left, right] = [this.#scale.x(this.#range.from), this.#scale.x(this.#range.until)];
    const [toLeft, toRight] = [Math.abs(x - left), Math.abs(x - right)];
    if (Math.min(toLeft, toRight) > EDGE) return null;
    return toLeft < toRight ? this.#range.until : this.#range.from;
  }

  /** @param {PointerEvent} event */
  #down(event) {
    if (event.button !== 0 || this.#scale === null) return;
    this.#root.setPointerCapture(event.pointerId);
    this.#actions.point(null);
    const x = this.#x(event);
    this.#drag = { anchor: this.#opposite(x) ?? this.#scale.at(x), x, moved: false };
  }

  /** @param {PointerEvent} event */
  #move(event) {
    const x = this.#x(event);
    if (this.#drag === null || this.#scale === null) {
      this.#root.classList.toggle('ch-edge', this.#opposite(x) !== null);
      if (this.#scale !== null) this.#actions.point(x);
      return;
    }
    if (!this.#drag.moved && Math.abs(x - this.#drag.x) < CLICK) return;
    this.#drag.moved = true;
    const at = this.#scale.at(x);
    const { anchor } = this.#drag;
    this.#range = { from: Math.min(anchor, at), until: Math.max(anchor, at) };
    this.#frame ||= requestAnimationFrame(() => {
      this.#frame = 0;
      this.#draw();
    });
  }

  #up() {
    const drag = this.#drag;
    this.#drag = null;
    if (drag === null || this.#scale === null) return;
    clearTimeout(this.#timer);
    this.#timer = 0;
    if (drag.moved) this.#chose(0);
    else {
      this.#around(this.#scale.at(drag.x));
      // It may be the first click of two, and they lead back.
      this.#chose(CLICK_MS);
    }
    this.#draw();
  }

  #drop() {
    this.#drag = null;
  }

  /** The bin at a time, and half of each beside it. @param {number} at */
  #around(at) {
    const { from, until } = /** @type {import('./timescale.js').TimeScale} */ (this.#scale);
    const first = Math.floor((at - from) / this.#bin) * this.#bin + from;
    this.#range = { from: Math.max(from, first - this.#bin / 2), until: Math.min(until, first + this.#bin * 1.5) };
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    if (this.#scale === null || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === 'Escape' && this.#range !== null) {
      event.stopPropagation();
      clearTimeout(this.#timer);
      this.#timer = 0;
      this.#range = null;
      this.#draw();
      this.#actions.choose(null);
      return;
    }
    if (this.#range === null && event.key.startsWith('Arrow')) this.#around(this.#actions.worst() ?? this.#scale.until - 1);
    else if (this.#range !== null) {
      const next = keyed(event.key, event.shiftKey, this.#range, this.#bin, this.#scale);
      if (next === null) return;
      this.#range = next;
    } else return;
    event.preventDefault();
    event.stopPropagation();
    this.#draw();
    this.#chose(KEY_MS);
  }

  /** @param {number} wait milliseconds in which another choice may follow */
  #chose(wait) {
    const choose = () => {
      this.#timer = 0;
      if (this.#range !== null) this.#actions.choose(this.#range);
    };
    clearTimeout(this.#timer);
    if (wait === 0) choose();
    else this.#timer = setTimeout(choose, wait);
  }

  #draw() {
    const scale = this.#scale;
    const range = this.#range;
    this.#shade.hidden = range === null || scale === null;
    this.#follower.hidden = this.#shade.hidden;
    const { root, value, text } = { root: this.#root, ...this.#spoken() };
    root.setAttribute('aria-valuemin', '0');
    root.setAttribute('aria-valuemax', String(STEPS));
    root.setAttribute('aria-valuenow', String(value));
    root.setAttribute('aria-valuetext', text);
    if (range === null || scale === null) return;
    // In parts of the whole, so that paper has it at the same time.
    const left = scale.part(range.from);
    for (const box of [this.#shade, this.#follower]) {
      box.style.left = `${left}%`;
      box.style.width = `${scale.part(range.until) - left}%`;
    }
    write(this.#label, spanText(range.until - range.from));
    this.#shade.classList.toggle('ch-outward', scale.width * (1 - left / 100) < 60);
  }

  /** What a screen reader says. */
  #spoken() {
    const [scale, range] = [this.#scale, this.#range];
    if (scale === null || range === null) return { value: 0, text: 'nothing chosen' };
    const value = Math.round(((range.from - scale.from) / scale.span) * STEPS);
    // While it is dragged nobody listens.
    if (this.#drag !== null) return { value, text: '' };
    const clock = (/** @type {number} */ at) => clockText(at, scale.span < 3_600_000 ? 1_000 : 60_000);
    return { value, text: `${clock(range.from)} to ${clock(range.until)}, ${spanText(range.until - range.from)}: ${this.#actions.contents(range)}` };
  }
}
