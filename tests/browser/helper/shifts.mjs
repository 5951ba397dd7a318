// How far things move by themselves, as Chromium measures it: the part of the screen that is touched times the distance.

import { until } from './until.mjs';

/** What moves in steps jumps where a frame comes later than this, and that is the machine's doing. */
const LATE_FRAME_MS = 60;
/** Nothing moves for so long once all that was on its way is there. */
const REST_MS = 3_000;

/**
 * From here on it is measured. @param {import('playwright-core').Page} page
 * @param {string} roomy what makes room for what is new, as a selector; whatever else moves counts together
 */
export const watchShifts = (page, roomy) => page.evaluate(({ roomy, late }) => {
  const all = { shift: 0, largest: 0, moved: /** @type {string[]} */ ([]), at: performance.now() };
  Object.assign(globalThis, { shifts: all });
  /** @type {number[]} */
  const frames = [];
  const note = (/** @type {number} */ at) => {
    frames.push(at);
    if (frames.length > 200) frames.splice(0, 100);
    requestAnimationFrame(note);
  };
  requestAnimationFrame(note);
  const isLate = (/** @type {number} */ at) => {
    const n = frames.findLastIndex((frame) => frame <= at + 1);
    return n > 0 && frames[n] - frames[n - 1] > late;
  };
  /** What one part contributes. @param {any} source */
  const valueOf = ({ previousRect: a, currentRect: b }) => {
    const [left, top, right, bottom] = [Math.min(a.left, b.left), Math.min(a.top, b.top), Math.max(a.right, b.right), Math.max(a.bottom, b.bottom)];
    const distance = Math.max(Math.abs(a.left - b.left), Math.abs(a.top - b.top));
    return ((right - left) * (bottom - top) * distance) / (innerWidth * innerHeight * Math.max(innerWidth, innerHeight));
  };
  new PerformanceObserver((entries) => {
    for (const { value, sources, startTime } of /** @type {any[]} */ (entries.getEntries())) {
      const others = sources.filter(({ node }) => !(node instanceof Element && node.closest(roomy)));
      all.at = performance.now();
      all.shift += Math.min(value, others.reduce((/** @type {number} */ sum, /** @type {any} */ source) => sum + valueOf(source), 0));
      if (!isLate(startTime)) all.largest = Math.max(all.largest, value);
      all.moved.push(...sources.map(({ node }) => `${value.toFixed(4)} ${node?.id || node?.className || node?.nodeName}`));
    }
  }).observe({ type: 'layout-shift', buffered: false });
}, { roomy, late: LATE_FRAME_MS });

/** Waits until nothing moves and the charts are drawn; what moved before does not count. @param {import('playwright-core').Page} page */
export async function atRest(page) {
  await until('the page is at rest', () => page.evaluate((ms) =>
    document.querySelector('#charts')?.getAttribute('data-drawn') === 'true' && performance.now() - /** @type {any} */ (globalThis).shifts.at > ms, REST_MS));
  await page.evaluate(() => Object.assign(/** @type {any} */ (globalThis).shifts, { shift: 0, largest: 0, moved: [] }));
}

/** @param {import('playwright-core').Page} page @returns {Promise<{shift: number, largest: number, moved: string[]}>} `shift` of what is not to make room, `largest` of anything at once */
export const shiftsOf = (page) => page.evaluate(() => /** @type {any} */ (globalThis).shifts);
