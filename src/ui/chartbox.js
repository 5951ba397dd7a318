// The elements that histogram and lanes are drawn in.

import { HEIGHT } from './histogram.js';
import { glyph } from './lanes.js';
import { widthOf } from './spans.js';
import { html, svg } from './svg.js';

/** Letter, words, and what stands for the same above the bars or is as grey as it. */
const LEGEND = /** @type {const} */ ([['X', 'failed', ''], ['M', 'out of memory', ''], ['H', 'unhealthy', ''], ['C', 'changed', 'M4 4h8l-4 6z'], ['K', 'did not stop, killed', ''], ['P', 'stopped as asked', 'M4 0h6v14h-6z']]);

/** @param {HTMLElement} box @returns {Record<string, any>} */
export function build(box) {
  const hidden = { 'aria-hidden': 'true' };
  const pattern = (/** @type {string} */ id, /** @type {number} */ size, /** @type {string} */ turn, /** @type {any[]} */ ...inner) =>
    svg('pattern', { id, width: size, height: size, patternUnits: 'userSpaceOnUse', patternTransform: turn }, ...inner);
  const defs = svg('defs', {},
    pattern('ch-hatch', 8, 'rotate(45)', svg('rect', { class: 'ch-gapground', width: 8, height: 8 }), svg('rect', { class: 'ch-gapink', width: 1, height: 8 })),
    pattern('ch-faint', 8, 'rotate(45)', svg('rect', { class: 'ch-faintink', width: 1, height: 8 })),
    pattern('ch-stripes', 4, '', svg('rect', { class: 'ch-stripe', width: 1.5, height: 4 })));
  const plot = svg('svg', { ...hidden, height: HEIGHT });
  const axis = svg('svg', { ...hidden, height: 18, class: 'ch-ticks' });
  const brush = html('div', { class: 'ch-brush', role: 'slider', tabindex: 0, 'aria-label': 'Part of the time', title: 'Drag to choose a part, click for one bar (← → move, Shift widens, Esc clears, z zooms)' });
  const [most, mostRoutine, day] = [html('span'), html('span'), html('span', { class: 'ch-day' })];
  const bands = svg('svg', { ...hidden, class: 'ch-bands', preserveAspectRatio: 'none' });
  const list = html('ul', { 'aria-label': 'Lanes: ← → go through a lane, Enter opens' });
  const [follower, cursor] = [html('div', { class: 'ch-follower' }), html('div', { class: 'ch-cursor', hidden: '' })];
  const button = (/** @type {string} */ text, /** @type {string} */ title) => html('button', { type: 'button', hidden: '', title }, text);
  const [zoom, back, clear] = [button('Zoom', 'Only what is chosen (z)'), button('Back', 'What was shown before (b, or a double click)'), button('Clear', 'Nothing chosen (Esc)')];
  const quiet = html('button', { type: 'button', class: 'ch-more', hidden: '' });
  const sign = (/** @type {number} */ width, /** @type {any[]} */ ...inner) => svg('svg', { ...hidden, width, height: 14 }, ...inner);
  const legend = html('ul', { class: 'ch-legend', 'aria-label': 'Legend' }, ...LEGEND.map(([kind, text, bar]) => html('li', {}, sign(widthOf(kind, 1), glyph(kind, widthOf(kind, 1), 1)), ...(bar ? [sign(12, svg('path', { class: kind === 'C' ? 'ch-change' : 'ch-stop', d: bar }))] : []), ` ${text}`)),
    html('li', {}, sign(14, glyph('G', 14, 1)), sign(14, svg('rect', { class: 'ch-lost', width: 14, height: 14 })), ' not known'),
    html('li', {}, sign(10, svg('rect', { class: 'ch-band', width: 10, height: 14 }), ...[0, 9].map((x) => svg('rect', { class: 'ch-bandline ch-over', x, width: 1, height: 14 }))), ' incident'));
  const note = html('p', { class: 'ch-note', role: 'note', hidden: '' });
  const filter = html('p', { class: 'ch-filter', role: 'note', hidden: '' });
  const none = html('p', { class: 'ch-none', hidden: '' });
  const tip = html('div', { ...hidden, class: 'ch-tip', hidden: '' });
  const said = html('p', { class: 'visually-hidden', role: 'status' });
  const [mirror, laneMirror] = [html('div'), html('div')];
  box.append(
    html('h2', { class: 'visually-hidden' }, 'Histogram and lanes'),
    svg('svg', { ...hidden, class: 'ch-defs' }, defs),
    html('div', { class: 'ch-head' }, legend, filter, html('div', { class: 'ch-top' },
      html('div', { class: 'ch-side ch-axes' }, html('p', {}, 'failures, changes ', most), html('p', {}, 'routine ', mostRoutine)),
      html('div', { class: 'ch-plot' }, plot, axis, none, brush), day)),
    html('div', { class: 'ch-lanes' }, html('div', { class: 'ch-layer' }, bands, follower, cursor), list),
    note,
    html('div', { class: 'ch-foot' }, html('div', { class: 'ch-side' }, quiet), html('span'), html('div', { class: 'ch-tools' }, zoom, back, clear)),
    tip, said,
    html('div', { class: 'visually-hidden' }, mirror, laneMirror),
  );
  return { plot, axis, brush, most, mostRoutine, mirror, list, bands, quiet, laneMirror, follower, cursor, zoom, back, clear, day, note, filter, none, tip, said };
}
