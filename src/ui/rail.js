// The scrollbar of the list. It spans the time of the view, not what happens to be loaded: its middle is the middle of
// the time, and a click there goes there.

import { clock, day } from './format.js';

/** Smallest height of the handle, in pixels. */
const HANDLE_MIN = 24;
const STEPS = 1_000;

export class Rail {
  #root;
  #handle = document.createElement('div');
  #onSeek;
  #from = 0;
  #until = 0;
  #top = 0;
  #bottom = 0;
  /** @type {number|null} the time under a handle that is being dragged */
  #dragged = null;

  /** @param {HTMLElement} root @param {(time: number) => void} onSeek milliseconds since 1970 */
  constructor(root, onSeek) {
    this.#root = root;
    this.#onSeek = onSeek;
    this.#handle.className = 'handle';
    root.append(this.#handle);
    root.addEventListener('pointerdown', (event) => {
      if (root.hidden || event.button !== 0) return;
      root.setPointerCapture(event.pointerId);
      this.#drag(event);
    });
    root.addEventListener('pointermove', (event) => {
      if (this.#dragged !== null) this.#drag(event);
    });
    root.addEventListener('pointerup', () => this.#drop());
    root.addEventListener('pointercancel', () => {
      this.#dragged = null;
      this.#draw();
    });
    root.addEventListener('keydown', (event) => this.#onKey(event));
  }

  /** @param {number} from @param {number} until the time of the whole view; NaN while unknown */
  span(from, until) {
    this.#from = from;
    this.#until = until;
    this.#root.hidden = !(until > from);
    this.#draw();
  }

  /** @param {number} top @param {number} bottom the time that is on screen */
  at(top, bottom) {
    if (Number.isNaN(top) || Number.isNaN(bottom) || (top === this.#top && bottom === this.#bottom)) return;
    this.#top = top;
    this.#bottom = bottom;
    this.#draw();
  }

  #drag(/** @type {PointerEvent} */ event) {
    const { top, height } = this.#root.getBoundingClientRect();
    const part = Math.min(1, Math.max(0, (event.clientY - top) / height));
    this.#dragged = this.#from + part * (this.#until - this.#from);
    this.#draw();
  }

  #drop() {
    if (this.#dragged === null) return;
    const time = this.#dragged;
    this.#dragged = null;
    this.#onSeek(time);
  }

  #onKey(/** @type {KeyboardEvent} */ event) {
    const span = this.#until - this.#from;
    /** @type {Record<string, number>} */
    const steps = { ArrowUp: -0.01, ArrowDown: 0.01, PageUp: -0.1, PageDown: 0.1, Home: -1, End: 1 };
    if (!(event.key in steps)) return;
    event.preventDefault();
    event.stopPropagation();
    this.#onSeek(Math.min(this.#until, Math.max(this.#from, this.#top + steps[event.key] * span)));
  }

  #draw() {
    const span = this.#until - this.#from;
    if (!(span > 0)) return;
    const place = (/** @type {number} */ time) => Math.min(1, Math.max(0, (time - this.#from) / span));
    const top = place(this.#dragged ?? this.#top);
    const length = Math.max(0, place(this.#bottom) - place(this.#top));
    this.#handle.style.height = `max(${HANDLE_MIN}px, ${(length * 100).toFixed(3)}%)`;
    this.#handle.style.top = `min(calc(100% - ${HANDLE_MIN}px), ${(top * 100).toFixed(3)}%)`;
    const time = this.#dragged ?? this.#top;
    const text = `${day(time)} ${clock(time).slice(0, 8)}`;
    this.#handle.dataset.time = text;
    this.#handle.classList.toggle('dragged', this.#dragged !== null);
    this.#root.setAttribute('aria-valuemin', '0');
    this.#root.setAttribute('aria-valuemax', String(STEPS));
    this.#root.setAttribute('aria-valuenow', String(Math.round(top * STEPS)));
    this.#root.setAttribute('aria-valuetext', text);
  }
}
