// Histogram and lanes over one axis of time: asks for both, keeps them up while the range goes on, and knows what is
// chosen of it. The page has the range; a part that was chosen here is a range for the page, and stays a part here until
// it is zoomed to.

import { ask, textOf } from './answers.js';
import { BAR_PX, barsIn } from './bars.js';
import { Brush } from './brush.js';
import { build } from './chartbox.js';
import { filterQuery, parseFilter, termText } from './filter.js';
import { filtered, hiddenText } from './lane-filter.js';
import { Histogram, contents, unknowns } from './histogram.js';
import { Lanes } from './lanes.js';
import { Polled } from './polled.js';
import { serverClock } from './serverclock.js';
import { laneOf } from './spans.js';
import { write } from './dom.js';
import { TimeScale, clockText, dayText, stepOf, zoomed } from './timescale.js';
import { millis } from './timespan.js';
import { fields, offsetText, zoneName } from './zone.js';

/** How wide the axis is drawn for paper, in pixels; its letters are as large as the text then. */
const PAPER_PX = 600;
/** What the live view shows, in milliseconds. */
const LIVE_MS = 24 * 3_600_000;
const TICK_MS = 1_000;
/** A log whose newest moment is so far from now is not being recorded, in milliseconds. */
const STOPPED_MS = 15_000;
/** From so many milliseconds a pixel on, what is chosen is of whole seconds. */
const ROUND_PX_MS = 50;

/**
 * @typedef {{since: string, until: string}} Bounds RFC 3339, or empty for none
 * @typedef {Bounds & {live?: boolean, sel?: string, q?: string, i?: string, incidents?: import('./lanes.js').Incident[]|null}} Shown
 *   `live`: the last 24 h; `sel`: the part that is chosen, `FROM,TO`; `i`: the incident that is read
 */

const iso = (/** @type {number} */ at) => new Date(at).toISOString().replace('.000Z', 'Z');

/** The filter with other values for some keys. @param {string} q @param {string[][]} pairs */
function replaced(q, pairs) {
  const terms = pairs.map(([key, value]) => ({ key, value, exclude: false }));
  const others = parseFilter(q).terms.filter(({ key, exclude }) => exclude || !['project', 'service', 'container'].includes(key) && !pairs.some(([name]) => name === key));
  return [...others, ...terms].map(termText).join(' ');
}

/** What is not drawn of the range, in words. @param {import('./bars.js').Histogram|null} counts @param {{ended_after: string|null, read_from?: string|null, lanes: {folded: number}[]}|null} lines */
export function untold(counts, lines) {
  const folded = (lines?.lanes ?? []).reduce((sum, lane) => sum + lane.folded, 0);
  if (counts !== null && lines === null) return 'What each container was doing is being read …';
  const parts = [
    lines?.read_from && `the lanes begin at ${clockText(millis(lines.read_from), 1_000)}, with the newest 2,000,000 records`,
    counts?.ended_after && `the bars end with record ${counts.ended_after}`,
    lines?.ended_after && `the lanes end with record ${lines.ended_after}`,
    folded > 0 && `${folded} marks found no room`,
  ].filter(Boolean);
  return parts.length > 0 ? `Not all is drawn: ${parts.join('; ')}. Choose a part of the time and zoom to it.` : '';
}

export class Charts {
  #box;
  #actions;
  /** What the page shows. @type {Required<Shown>} */
  #view = { since: '', until: '', live: false, sel: '', q: '', i: '', incidents: [] };
  /** @type {import('./brush.js').Range|null} */
  #chosen = null;
  /** How often something was chosen here, and not gone back from. */
  #steps = 0;
  /** The axis, and whether it goes on. */
  #axis = { from: 0, until: 0, isOpen: false };
  /** When the records begin, and how far they go. @type {{begins: number, until: number}|null} */
  #bounds = null;
  /** @type {number|null} a replay's time */
  #clock = null;
  #width = 0;
  #frame = 0;
  /** Where a pointer is in the window, and where keys have come to in the plot. @type {number|null} */
  #pointer = null;
  /** @type {number|null} */
  #keyed = null;
  #asked = 0;
  #histogram;
  #lanes;
  #brush;
  #counts = new Polled('api/v1/histogram', () => this.#draw());
  #lines = new Polled('api/v1/lifelines', ({ lanes }) => {
    this.#lanesOf = lanes.map(laneOf);
    this.#onLines();
  });
  /** @type {import('./spans.js').Lane[]} */
  #lanesOf = [];
  /** How many of them are shown, and what is said of the others. */
  #shown = 0;
  #hidden = '';
  /** @type {Record<string, any>} */
  #parts;

  /**
   * @param {HTMLElement} box
   * @param {{onRange: (range: Bounds|null) => void, onFilter: (q: string, range: Bounds) => void, onRecord: (id: string) => void, onIncident: (id: string) => void, onZoom: () => void, onZoomTo: (range: Bounds) => void, onBack: () => void}} actions
   *   `onRange` gets the part that is chosen; `onFilter` the text of the filter box with a lane in it, and the time that is meant; with `onZoom`
   *   what is chosen becomes the range, `onBack` leads to what was shown before
   */
  constructor(box, actions) {
    this.#box = box;
    this.#actions = actions;
    const parts = (this.#parts = build(box));
    this.#histogram = new Histogram(/** @type {any} */ (parts));
    this.#lanes = new Lanes(/** @type {any} */ ({ ...parts, mirror: parts.laneMirror }), {
      tell: (text, x, row, isKey) => this.#tell(text, x, row, isKey),
      untell: () => this.#untell(),
      filter: (lane, from, until) => this.#filter(lane, from, until),
      record: actions.onRecord,
      incident: actions.onIncident,
      redraw: () => this.#draw(),
    });
    this.#brush = new Brush(parts.brush, parts.follower, {
      choose: (range) => this.#choose(range),
      worst: () => this.#worst(),
      point: (x) => this.#point(x),
      contents: ({ from, until }) => contents(this.#counts.data, from, until, this.#lanes.changes),
      back: () => this.#back(),
    });
    parts.zoom.addEventListener('click', () => {
      this.#steps += 1;
      actions.onZoom();
    });
    parts.back.addEventListener('click', () => this.#back());
    parts.clear.addEventListener('click', () => this.#choose(null));
    new ResizeObserver(([{ contentRect }]) => this.#resize(contentRect.width)).observe(parts.brush);
    box.addEventListener('pointermove', ({ clientX }) => { this.#pointer = clientX; });
    box.addEventListener('pointerleave', () => { this.#pointer = null; });
    box.addEventListener('scroll', () => this.#draw(), { passive: true });
    addEventListener('beforeprint', () => this.#drawNow(PAPER_PX));
    addEventListener('afterprint', () => this.#draw());
    setInterval(() => this.#tick(), TICK_MS);
    document.addEventListener('visibilitychange', () => this.#tick());
  }

  /** What the page shows; to be told whenever that changes. @param {Shown} view */
  show({ since, until, live = false, sel = '', q = '', i = '', incidents = [] }) {
    const was = this.#view;
    this.#view = { since, until, live, sel, q, i, incidents };
    this.#lanes.choose(i);
    const [from = '', to = ''] = sel.split(',');
    this.#chosen = sel === '' ? null : { from: millis(from), until: millis(to) };
    if (q !== was.q || JSON.stringify(incidents) !== JSON.stringify(was.incidents)) this.#onLines();
    if (this.#axis.until === 0 || since !== was.since || until !== was.until || live !== was.live) this.#range();
    else if (q !== was.q) this.#load(true);
    this.#draw();
  }

  /** A replay has come so far; null: there is none. @param {number|null} time milliseconds since 1970 */
  moveTo(time) {
    if (time === this.#clock) return;
    this.#clock = time;
    this.#draw();
  }

  /** Nearer or farther, around the time that pointer or keys are on, else around the middle. @param {1|-1} step */
  zoomBy(step) {
    if (this.#width === 0 || this.#axis.until === 0) return;
    const x = this.#pointer === null ? this.#keyed ?? this.#width / 2 : this.#pointer - this.#parts.brush.getBoundingClientRect().left;
    const at = new TimeScale(this.#axis.from, this.#axis.until, this.#width).at(Math.min(this.#width, Math.max(0, x)));
    const range = zoomed(this.#axis, at, step, { from: this.#bounds?.begins ?? 0, until: Math.max(this.#now, this.#axis.until) });
    if (range === null) return;
    this.#steps += 1;
    this.#actions.onZoomTo({ since: iso(Math.round(range.from)), until: iso(Math.round(range.until)) });
  }

  #back() {
    if (this.#steps === 0) return;
    this.#steps -= 1;
    this.#actions.onBack();
  }

  /** @param {import('./brush.js').Range|null} range */
  #choose(range) {
    this.#steps += 1;
    this.#chosen = range;
    this.#draw();
    if (range === null) {
      this.#actions.onRange(null);
      return;
    }
    // Round times, where the axis does not show more.
    const round = this.#axis.until - this.#axis.from > this.#width * ROUND_PX_MS ? 1_000 : 1;
    this.#actions.onRange({ since: iso(Math.floor(range.from / round) * round), until: iso(Math.ceil(range.until / round) * round) });
  }

  /** @param {import('./spans.js').Lane} lane @param {number} from @param {number} until */
  #filter({ key, keys, project, source, role }, from, until) {
    const name = project !== null && key.startsWith(`${project}/`) ? key.slice(project.length + 1).replace(/\/\d+$| \(one-off\)$/, '') : '';
    const terms = role === 'host' ? [['source', source]] : name ? [['project', project ?? ''], ['service', name]] : (keys ?? [key]).map((one) => ['container', one]);
    this.#actions.onFilter(replaced(this.#view.q, terms), { since: iso(Math.floor(from)), until: iso(Math.ceil(until)) });
  }

  /** Now, as far as the log goes. */
  get #now() {
    const now = serverClock.now();
    return this.#bounds && Math.abs(now - this.#bounds.until) > STOPPED_MS && !this.#runs ? this.#bounds.until : now;
  }

  #runs = false;

  /** The axis of what is asked for. */
  async #range() {
    const view = this.#view;
    const { since, until, live } = view;
    const closed = { from: millis(since), until: millis(until), isOpen: false };
    if (!Number.isNaN(closed.from) && !Number.isNaN(closed.until)) this.#axis = closed;
    else {
      if (this.#bounds === null) {
        try {
          const { begins, until: end } = JSON.parse(await textOf(await ask('api/v1/histogram', { bins: '1' })));
          this.#bounds = { begins: begins === null ? millis(end) : millis(begins), until: millis(end) };
          this.#runs = Math.abs(serverClock.now() - this.#bounds.until) < STOPPED_MS;
        } catch {
          // Asked again with the next tick.
          return;
        }
        if (view.since !== this.#view.since || view.until !== this.#view.until) return;
      }
      const now = Number.isNaN(closed.until) ? this.#now : closed.until;
      const from = !Number.isNaN(closed.from) ? closed.from : Math.max(this.#bounds.begins, live ? now - LIVE_MS : 0);
      this.#axis = { from, until: Math.max(now, from + TICK_MS), isOpen: Number.isNaN(closed.until) };
    }
    this.#draw();
    this.#load(true);
  }

  #tick() {
    if (document.hidden || this.#width === 0) return;
    if (this.#axis.until === 0) {
      this.#range();
      return;
    }
    if (!this.#axis.isOpen) return;
    const now = this.#now;
    const { since, live } = this.#view;
    if (now > this.#axis.until) this.#axis.until = now;
    if (live && since === '') this.#axis.from = Math.max(this.#axis.from, now - LIVE_MS);
    this.#load(false);
    this.#draw();
  }

  /** @param {boolean} isNew */
  #load(isNew) {
    const { width } = this;
    if (width === 0 || this.#axis.until === 0) return;
    const { from, until, isOpen } = this.#axis;
    const filter = filterQuery(parseFilter(this.#view.q));
    if (!isOpen) {
      if (!isNew) return;
      const range = { since: iso(from), until: iso(until) };
      this.#counts.ask({ ...range, bins: String(barsIn(width)), ...filter }, true);
      this.#lines.ask({ ...range, width: String(width) }, true);
      return;
    }
    // Round bins from a round time on to one that has not come yet: the answer is another one only when something happened.
    const bin = stepOf(Math.max(1, (until - from) / barsIn(width)));
    const since = Math.floor(from / bin) * bin;
    const bins = Math.ceil((until - since) / bin / 20) * 20;
    this.#counts.ask({ since: iso(since), until: iso(since + bins * bin - 1), bins: String(bins), ...filter }, isNew);
    this.#lines.ask({ since: iso(since), width: String(width) }, isNew);
  }

  get width() {
    return this.#width;
  }

  /** @param {number} width */
  #resize(width) {
    const next = Math.floor(width);
    if (next === this.#width) return;
    const isFirst = this.#width === 0;
    this.#width = next;
    this.#draw();
    clearTimeout(this.#asked);
    this.#asked = setTimeout(() => (this.#axis.until > 0 ? this.#load(true) : this.#tick()), isFirst ? 0 : 300);
  }

  /** Lanes that the filter names, as far as it names any. */
  #onLines() {
    const { data } = this.#lines;
    if (data === null) return;
    const { lanes, hidden, beside } = filtered(this.#lanesOf, parseFilter(this.#view.q).terms);
    this.#shown = lanes.filter(({ role }) => role !== 'host').length;
    this.#hidden = hiddenText(this.#view.q, this.#shown, hidden, beside);
    this.#lanes.set(lanes, data.more, this.#view.incidents ?? []);
    if (this.#axis.isOpen && !this.#runs) this.#bounds = { begins: this.#bounds?.begins ?? millis(data.since), until: millis(data.until) };
    this.#draw();
  }

  /** The bin with the most failures; of none there is no time. */
  #worst() {
    const { data } = this.#counts;
    if (data === null) return null;
    const [failure, oom] = [data.classes.indexOf('failure'), data.classes.indexOf('oom')];
    const bad = data.bins.map((/** @type {number[]} */ bin) => bin[failure] + bin[oom]);
    const most = Math.max(...bad);
    return most > 0 ? millis(data.since) + (bad.indexOf(most) + 0.5) * data.bin_ms : null;
  }

  #draw() {
    this.#frame ||= requestAnimationFrame(() => {
      this.#frame = 0;
      this.#drawNow();
    });
  }

  #drawNow(width = this.#width) {
    const { from, until, isOpen } = this.#axis;
    if (this.#width === 0 || until === 0) return;
    const scale = new TimeScale(from, until, width);
    const isReplay = this.#clock !== null;
    const now = this.#clock ?? (isOpen ? until : Math.min(until, Math.max(this.#now, this.#bounds ? 0 : until)));
    const { data } = this.#counts;
    this.#histogram.draw(data, scale, { now, changes: this.#lanes.changes, isReplay });
    const lost = data === null ? [] : unknowns(data, scale);
    const read = this.#lines.data?.read_from;
    // Before it nothing is drawn, which does not mean that there was nothing.
    if (read) lost.push({ from: scale.from, until: millis(read), text: '', title: '', record: '', source: '', kind: 'before' });
    this.#lanes.draw(scale, now, lost, width === PAPER_PX);
    this.#brush.set(scale, data?.bin_ms ?? scale.fine * BAR_PX, this.#chosen);
    const { zoom, back, clear, day, cursor, note, filter, none } = this.#parts;
    write(filter, this.#hidden);
    filter.hidden = this.#hidden === '';
    write(none, this.#emptyText(data));
    none.hidden = none.textContent === '';
    zoom.hidden = clear.hidden = this.#chosen === null;
    back.hidden = this.#steps === 0;
    const [year] = fields(new Date(from));
    const days = dayText(from) === dayText(until) ? dayText(from) : `${dayText(from)} – ${dayText(until)}`;
    write(day, `${days} ${year}, ${zoneName() === 'UTC' ? 'UTC' : `UTC${offsetText(new Date(from)).replace('Z', '')}`}`);
    day.title = zoneName();
    write(note, untold(data, this.#lines.data));
    note.hidden = note.textContent === '';
    cursor.hidden = !isReplay;
    if (isReplay) cursor.style.left = `${scale.part(now)}%`;
    this.#box.dataset.drawn = data === null || this.#lines.data === null || this.#view.incidents === null ? '' : 'true';
  }

  /** An empty chart says why it is empty. @param {import('./bars.js').Histogram|null} data @returns {string} */
  #emptyText(data) {
    if (data === null || this.#lines.data === null || data.bins.some((bin) => bin.some((n) => n > 0))) return '';
    const { q } = this.#view;
    if (data.begins === null) return 'Nothing is recorded yet';
    if (millis(data.begins) >= this.#axis.until) return `Recording began later, ${dayText(millis(data.begins))} ${clockText(millis(data.begins), 1_000)}`;
    return q === '' ? 'Nothing was recorded in this time' : 'No record in this time matches the filter';
  }

  /** @param {string} text @param {number} x of the plot @param {HTMLElement} row @param {boolean} isKey */
  #tell(text, x, row, isKey) {
    const { tip, said, brush } = this.#parts;
    write(tip, text);
    tip.hidden = false;
    const left = brush.offsetLeft + x;
    tip.style.left = `${Math.max(4, Math.min(left - 20, this.#box.clientWidth - tip.offsetWidth - 4))}px`;
    tip.style.top = `${row.getBoundingClientRect().bottom - this.#box.getBoundingClientRect().top + this.#box.scrollTop + 2}px`;
    this.#keyed = isKey ? x : null;
    if (isKey) write(said, text);
  }

  /** What the bar holds that a pointer is on. @param {number|null} x */
  #point(x) {
    const { data } = this.#counts;
    if (x === null || data === null) {
      this.#untell();
      return;
    }
    const scale = new TimeScale(this.#axis.from, this.#axis.until, this.#width);
    const at = scale.at(x);
    const from = millis(data.since) + Math.floor((at - millis(data.since)) / data.bin_ms) * data.bin_ms;
    const lost = unknowns(data, scale).filter((gap) => gap.from <= at && gap.until >= at).map(({ title }) => title);
    const text = `${clockText(from, data.bin_ms)} to ${clockText(from + data.bin_ms, data.bin_ms)}: ${contents(data, from, from + data.bin_ms, this.#lanes.changes)}`;
    this.#tell([text, ...lost].join('. '), x, this.#parts.brush, false);
  }

  #untell() {
    this.#keyed = null;
    this.#parts.tip.hidden = true;
  }
}
