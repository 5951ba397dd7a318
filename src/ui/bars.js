// Counts by class to stacked rectangles. Above the line stands what means something, each class with a height that can be
// seen; below it what is routine, with a scale of its own, so that ten thousand probes do not flatten one failure. Pure.

/** What is drawn above the line, from the line up. */
export const ABOVE = ['failure', 'oom', 'health', 'change', 'stop'];
/** Height of a class that is there at all, in pixels. */
const LEAST = 4;
const GAP = 1;

/**
 * @typedef {{since: string, until: string, begins: string|null, bin_ms: number, classes: string[], bins: number[][], gaps: [string, string, string, string, string][], ended_after: string|null, edge_error: number}} Histogram
 * @typedef {{kind: string, x: number, y: number, width: number, height: number, n: number}} Bar
 * @typedef {{bars: Bar[], most: number, mostRoutine: number}} Bars
 */

/** What one bin holds, by what is told apart. @param {string[]} classes @param {number[]} bin @returns {Record<string, number>} */
export function counted(classes, bin) {
  /** @type {Record<string, number>} */
  const sums = { routine: 0 };
  for (const kind of ABOVE) sums[kind] = 0;
  bin.forEach((n, place) => { sums[ABOVE.includes(classes[place]) ? classes[place] : 'routine'] += n; });
  return sums;
}

/** A deploy is a change, though the container that it makes is counted as routine. @param {Record<string, number>} sums @param {number[]} made @param {number} from @param {number} until */
export function withMade(sums, made, from, until) {
  const n = made.filter((at) => at >= from && at < until).length;
  return n === 0 ? sums : { ...sums, change: sums.change + n, routine: Math.max(0, sums.routine - n) };
}

/** Heights of the classes of one bin: in proportion, but none too small to be seen. @param {number[]} counts @param {number} unit @param {number} room */
export function heights(counts, unit, room) {
  const present = counts.filter((n) => n > 0).length;
  const least = Math.min(LEAST, room / Math.max(1, present));
  const wanted = counts.map((n) => (n > 0 ? Math.max(least, n * unit) : 0));
  const over = wanted.reduce((sum, height) => sum + height, 0) - room;
  if (over <= 0) return wanted;
  // What is higher than it has to be gives way.
  const spare = wanted.reduce((sum, height) => sum + Math.max(0, height - least), 0);
  return wanted.map((height) => (height > least ? height - (over * (height - least)) / spare : height));
}

/**
 * @param {Histogram} data @param {import('./timescale.js').TimeScale} scale
 * @param {{above: number, below: number}} room pixels
 * @param {number} [until] what is later is left out @param {number[]} [made] when something was made again
 * @returns {Bars}
 */
export function barsOf({ since, bin_ms, classes, bins }, scale, { above, below }, until = Number.POSITIVE_INFINITY, made = []) {
  const begin = Date.parse(since.replace(/(\.\d{3})\d+/, '$1'));
  const within = [];
  bins.forEach((bin, place) => {
    const from = begin + place * bin_ms;
    if (from >= scale.until || from + bin_ms <= scale.from || from > until) return;
    const sums = withMade(counted(classes, bin), made, from, from + bin_ms);
    within.push({ from, sums, total: ABOVE.reduce((sum, kind) => sum + sums[kind], 0) });
  });
  const most = within.reduce((max, { total }) => Math.max(max, total), 0);
  const mostRoutine = within.reduce((max, { sums }) => Math.max(max, sums.routine), 0);
  /** @type {Bar[]} */
  const bars = [];
  for (const { from, sums, total } of within) {
    const left = Math.max(0, scale.x(from));
    const right = Math.min(scale.width, scale.x(from + bin_ms));
    const width = Math.max(2, right - left - GAP);
    const x = Math.min(left, scale.width - width);
    if (total > 0) {
      let y = above;
      heights(ABOVE.map((kind) => sums[kind]), above / most, above).forEach((height, place) => {
        y -= height;
        if (height > 0) bars.push({ kind: ABOVE[place], x, y, width, height, n: sums[ABOVE[place]] });
      });
    }
    if (sums.routine > 0) {
      const height = Math.max(1.5, (sums.routine / mostRoutine) * below);
      bars.push({ kind: 'routine', x, y: above + 1, width, height, n: sums.routine });
    }
  }
  return { bars, most, mostRoutine };
}

/** Many rectangles as one path. @param {Bar[]} bars @returns {string} */
export const pathOf = (bars) =>
  bars.map(({ x, y, width, height }) => `M${x.toFixed(1)} ${y.toFixed(1)}h${width.toFixed(1)}v${height.toFixed(1)}h${(-width).toFixed(1)}z`).join('');

/** Bars over the whole width, at most and at least; and the pixels of each, where there is room. */
export const MAX_BARS = 400;
const MIN_BARS = 20;
export const BAR_PX = 5;
/** @param {number} width pixels @returns {number} bars that a range is cut into */
export const barsIn = (width) => Math.min(MAX_BARS, Math.max(MIN_BARS, Math.floor(width / BAR_PX)));
