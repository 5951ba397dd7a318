// The histogram: bars by class over time, what was lost, and when something was changed; and the same as a table.

import { ABOVE, barsOf, counted, pathOf, withMade } from './bars.js';
import { count, spanText } from './format.js';
import { write } from './dom.js';
import { svg, table } from './svg.js';
import { clockText, dayText } from './timescale.js';
import { millis } from './timespan.js';
import { zoneName } from './zone.js';

const ABOVE_PX = 52;
const BELOW_PX = 16;
export const HEIGHT = ABOVE_PX + BELOW_PX + 4;
const AXIS_PX = 18;
/** Pixels between two ticks. */
const APART = 76;
/** @type {Record<string, string>} */
const WORDS = { failure: 'failed', oom: 'out of memory', health: 'health', change: 'changed', stop: 'stopped', routine: 'routine' };

/** @typedef {{from: number, until: number, text: string, title: string, record: string, source: string, kind: 'lost'|'before'}} Unknown */

/** What is not known in the range of a histogram, in words. @param {import('./bars.js').Histogram} data @param {import('./timescale.js').TimeScale} scale @returns {Unknown[]} */
export function unknowns({ gaps, begins }, scale) {
  /** @type {Unknown[]} */
  const all = gaps.map(([from, until, reason, source, record]) => {
    const [at, to] = [millis(from), millis(until)];
    return { from: at, until: to, text: `${spanText(to - at)} lost`, title: `Events of ${source} from ${clockText(at, 1)} to ${clockText(to, 1)} may be lost: ${reason}`, record, source, kind: 'lost' };
  });
  const start = begins === null ? scale.until : millis(begins);
  if (start > scale.from) all.unshift({ from: scale.from, until: start, text: 'not recorded', title: `Nothing is recorded before ${clockText(start, 1_000)}`, record: '', source: '', kind: 'before' });
  return all.filter(({ from, until }) => until >= scale.from && from <= scale.until);
}

export class Histogram {
  #plot;
  #axis;
  #most;
  #mostRoutine;
  #mirror;
  /** What the table is of. @type {unknown} */
  #told = null;
  #made = '';
  #zone = '';

  /** @param {{plot: Element, axis: Element, most: Element, mostRoutine: Element, mirror: Element}} parts */
  constructor({ plot, axis, most, mostRoutine, mirror }) {
    this.#plot = plot;
    this.#axis = axis;
    this.#most = most;
    this.#mostRoutine = mostRoutine;
    this.#mirror = mirror;
  }

  /**
   * @param {import('./bars.js').Histogram|null} data @param {import('./timescale.js').TimeScale} scale
   * @param {{now: number, changes: number[], isReplay: boolean}} more `changes`: when something was made again
   */
  draw(data, scale, { now, changes, isReplay }) {
    const { width } = scale;
    this.#drawAxis(scale, now, isReplay);
    if (data === null) return;
    const { bars, most, mostRoutine } = barsOf(data, scale, { above: ABOVE_PX, below: BELOW_PX }, now, changes);
    const kinds = [...ABOVE, 'routine'].map((kind) => svg('path', { class: `ch-${kind}`, d: pathOf(bars.filter((bar) => bar.kind === kind)) }));
    const lost = unknowns(data, scale).filter(({ from }) => from <= now).flatMap((gap) => this.#gap(gap, scale));
    const ticks = changes.filter((at) => at >= scale.from && at <= Math.min(scale.until, now)).map((at) => `M${(scale.x(at) - 4).toFixed(1)} 0h8l-4 6z`);
    this.#plot.setAttribute('viewBox', `0 0 ${width} ${HEIGHT}`);
    this.#plot.replaceChildren(...lost.filter(({ tagName }) => tagName === 'rect'), svg('path', { class: 'ch-line', d: `M0 ${ABOVE_PX + 0.5}h${width}` }), ...kinds,
      svg('path', { class: 'ch-change ch-tick', d: ticks.join('') }), ...lost.filter(({ tagName }) => tagName === 'text'));
    write(this.#most, `max ${count(most)}`);
    write(this.#mostRoutine, `max ${count(mostRoutine)}`);
    this.#mirrorOf(data, changes);
  }

  /** @param {Unknown} gap @param {import('./timescale.js').TimeScale} scale */
  #gap({ from, until, text, kind }, scale) {
    const x = Math.max(0, scale.x(from));
    const right = Math.min(scale.width, Math.max(scale.x(until), x + 3));
    const room = text.length * 6.5 + 8;
    // Beside it, where there is more room; in it, where it is wide.
    const [at, anchor] = right - x > room ? [(x + right) / 2, 'middle'] : scale.width - right > room ? [right + 4, 'start'] : [x - 4, 'end'];
    return [
      svg('rect', { class: `ch-${kind}`, x, y: 0, width: right - x, height: HEIGHT }),
      svg('text', { class: 'ch-words', x: at, y: 12, 'text-anchor': anchor }, text),
    ];
  }

  /** @param {import('./timescale.js').TimeScale} scale @param {number} now @param {boolean} isReplay */
  #drawAxis(scale, now, isReplay) {
    const { width } = scale;
    this.#axis.setAttribute('viewBox', `0 0 ${width} ${AXIS_PX}`);
    const end = isReplay ? now : scale.until;
    const ends = clockText(end, scale.span < 600_000 ? 1_000 : 60_000);
    const endAt = Math.min(width, Math.max(ends.length * 7, scale.x(end) + (isReplay ? ends.length * 3.5 : 0)));
    const free = (/** @type {number} */ x, /** @type {number} */ half) => x > half && (x < endAt - ends.length * 7 - half - 4 || x > endAt + half) && x < width - half;
    const ticks = scale.ticks(APART).map(({ at, text, isDay }) => ({ x: scale.x(at), text, isDay }));
    this.#axis.replaceChildren(
      svg('path', { class: 'ch-line', d: ticks.map(({ x }) => `M${x.toFixed(1)} 0v3`).join('') }),
      ...ticks.filter(({ x, text }) => free(x, text.length * 3.4)).map(({ x, text, isDay }) => svg('text', { x, y: 13, 'text-anchor': 'middle', class: isDay ? 'ch-strong' : '' }, text)),
      svg('text', { x: endAt, y: 13, 'text-anchor': 'end', class: 'ch-strong' }, ends),
    );
  }

  /** @param {import('./bars.js').Histogram} data @param {number[]} changes */
  #mirrorOf(data, changes) {
    const made = changes.join();
    if (data === this.#told && made === this.#made && zoneName() === this.#zone) return;
    this.#told = data;
    this.#made = made;
    this.#zone = zoneName();
    const begin = millis(data.since);
    const fine = Math.min(data.bin_ms, 60_000);
    const rows = [];
    const sums = counted(data.classes, data.classes.map(() => 0));
    const quiet = { bins: 0, records: 0 };
    data.bins.forEach((bin, place) => {
      const of = withMade(counted(data.classes, bin), changes, begin + place * data.bin_ms, begin + (place + 1) * data.bin_ms);
      for (const kind of Object.keys(sums)) sums[kind] += of[kind];
      if (ABOVE.some((kind) => of[kind] > 0)) {
        const at = begin + place * data.bin_ms;
        rows.push([`${dayText(at)} ${clockText(at, fine)}`, ...ABOVE.map((kind) => of[kind]), of.routine]);
      } else if (of.routine > 0) {
        quiet.bins += 1;
        quiet.records += of.routine;
      }
    });
    if (quiet.bins > 0) rows.push([`${quiet.bins} others, only routine`, ...ABOVE.map(() => 0), quiet.records]);
    rows.push(['all', ...ABOVE.map((kind) => sums[kind]), sums.routine]);
    const before = data.begins !== null && millis(data.begins) > begin ? [`Nothing is recorded before ${clockText(millis(data.begins), 1_000)}.`] : [];
    const lost = data.gaps.map(([from, until, reason, source]) => `Events of ${source} from ${clockText(millis(from), 1)} to ${clockText(millis(until), 1)} may be lost: ${reason}.`);
    if (data.edge_error > 0) lost.push(`Up to ${count(data.edge_error)} records may be counted beside their time.`);
    this.#mirror.replaceChildren(table(`Records by time, ${spanText(data.bin_ms)} each. ${[...before, ...lost].join(' ')}`, ['from', ...ABOVE.map((kind) => WORDS[kind]), WORDS.routine], rows));
  }
}

/** What a bin or a selection holds, in words. @param {import('./bars.js').Histogram|null} data @param {number} from @param {number} until @param {number[]} [changes] when something was made again */
export function contents(data, from, until, changes = []) {
  if (data === null) return '';
  const begin = millis(data.since);
  /** @type {Record<string, number>} */
  const sums = {};
  let made = 0;
  data.bins.forEach((bin, place) => {
    const at = begin + place * data.bin_ms;
    if (at + data.bin_ms <= from || at >= until) return;
    made += changes.filter((each) => each >= at && each < at + data.bin_ms).length;
    for (const [kind, n] of Object.entries(withMade(counted(data.classes, bin), changes, at, at + data.bin_ms))) sums[kind] = (sums[kind] ?? 0) + n;
  });
  // Networks, volumes, images and names change, too, and have no lane.
  const others = sums.change - made;
  const told = [...ABOVE, 'routine'].filter((kind) => sums[kind] > 0).map((kind) => (kind === 'change' && others > 0
    ? `${made > 0 ? `${count(made)} ${WORDS.change}, ` : ''}${count(others)} ${others === 1 ? 'other change' : 'other changes'}` : `${count(sums[kind])} ${WORDS[kind]}`));
  return told.join(', ') || 'no records';
}
