// Lanes: what each subject was doing, one under the other, failing ones first; and the same as a table. Pointer and keys
// find the same things: spans, marks and incidents.

import { count, printable, shortened, spanText } from './format.js';
import { SHOWN, TICK, markText, melt, segments, stateAt, together, unasked, weight, withDeaf, wordAt } from './spans.js';
import { write } from './dom.js';
import { html, svg, table } from './svg.js';
import { clockText, dayText } from './timescale.js';
import { millis } from './timespan.js';

const HEIGHT = 20;
/** Characters of a name that have room beside a lane, and where the charts are narrow. */
const NAME = 26;
const NAME_NARROW = 15;
const NARROW_PX = 700;
/** From a quarter of it on, seconds are not told beside a name. */
const DAYS_MS = 86_400_000;
/** So often, in milliseconds, the table follows what only time changes. */
const MIRROR_MS = 10_000;
/** Points that a segment needs to have its word in it. */
const WORD_PX = 50;

/** Where a state is drawn: top and height of its bar. @type {Record<string, [number, number]>} */
const BARS = { running: [8, 4], restarting: [5, 10], looping: [5, 10], unhealthy: [6, 8], unknown: [2, 16], down: [4, 12] };
/** What a state is called. @type {Record<string, string>} */
const NAMES = { restarting: 'waits to be started', looping: 'starts and fails', exited: 'ended', unknown: 'not known', created: 'not started' };
/** @type {Record<string, (width: number) => any>} */
const SHAPES = {
  X: (width) => svg('rect', { width, height: 14, rx: 2 }),
  M: (width) => svg('path', { d: `M5 0h${width - 10}l5 7-5 7h${10 - width}l-5-7z` }),
  H: (width) => svg('rect', { width, height: 14, rx: 7 }),
  C: (width) => svg('path', { d: `M.5 0h${width - 1}v9l${(1 - width) / 2} 5-${(width - 1) / 2}-5z` }),
  G: (width) => svg('rect', { x: 0.5, y: 0.5, width: width - 1, height: 13 }),
  K: (width) => svg('rect', { x: 0.5, y: 0.5, width: width - 1, height: 13, rx: 6.5 }),
  P: (width) => svg('rect', { x: 0.5, y: 0.5, width: width - 1, height: 13, rx: 6.5 }),
};

/** A mark, also for the legend. @param {string} kind @param {number} width @param {number} n @returns {any} */
export const glyph = (kind, width, n) =>
  svg('g', { class: `ch-mark ch-${kind}` }, SHAPES[kind](width), svg('text', { x: width / 2, y: 10.5, 'text-anchor': 'middle' }, n > 1 ? `${kind} ${n}` : kind));

/** @param {import('./spans.js').Lane} lane */
const keyOf = ({ source, role, key }) => `${source} ${role === 'host'} ${key}`;

/**
 * @typedef {import('./spans.js').Lane} Lane
 * @typedef {{id: string, title: string, start: string, end: string|null, severity: string, state: string, source?: string, kind?: string, subject?: string, subjects?: {key: string}[]}} Incident
 * @typedef {{x: number, width: number, text: string, act: () => void}} Stop what can be pointed at
 * @typedef {{lane: Lane, weight: number, box: any, name: any, state: any, plot: any, stops: Stop[], stop: number}} Row
 */

export class Lanes {
  #list;
  #bands;
  #quiet;
  #mirror;
  #actions;
  /** @type {Map<string, Row>} */
  #rows = new Map();
  /** @type {Row[]} in the order shown */
  #shown = [];
  #all = false;
  /** @type {{lanes: Lane[], more: number, incidents: Incident[], hosts: number}} */
  #data = { lanes: [], more: 0, incidents: [], hosts: 1 };
  /** @type {import('./timescale.js').TimeScale|null} */
  #scale = null;
  #now = 0;
  /** Id of the incident that is read. */
  #chosen = '';
  #told = '';
  /** The time that the table is of. */
  #mirrored = 0;

  /**
   * @param {{list: HTMLElement, bands: Element, quiet: HTMLElement, mirror: Element}} parts
   * @param {{tell: (text: string, x: number, row: HTMLElement, isKey: boolean) => void, untell: () => void, filter: (lane: Lane, from: number, until: number) => void, record: (id: string) => void, incident: (id: string) => void, redraw: () => void}} actions
   */
  constructor({ list, bands, quiet, mirror }, actions) {
    this.#list = list;
    this.#bands = bands;
    this.#quiet = quiet;
    this.#mirror = mirror;
    this.#actions = actions;
    quiet.addEventListener('click', () => {
      this.#all = !this.#all;
      this.#arrange();
      actions.redraw();
    });
    list.addEventListener('keydown', (event) => this.#key(event));
    list.addEventListener('pointermove', (event) => this.#hover(event));
    list.addEventListener('pointerleave', () => {
      actions.untell();
      this.#arrange();
      actions.redraw();
    });
    list.addEventListener('focusout', () => actions.untell());
    list.addEventListener('click', (event) => this.#click(event));
  }

  /** When something was made again, for the histogram. */
  get changes() {
    return this.#data.lanes.flatMap((lane) => lane.events.filter(({ kind }) => kind === 'C').map(({ at }) => at));
  }

  /** The incident whose band stands out. @param {string} id empty for none */
  choose(id) {
    this.#chosen = id;
  }

  /** @param {Lane[]} lanes @param {number} more @param {Incident[]} incidents */
  set(lanes, more, incidents) {
    const hosts = new Set(lanes.map(({ source }) => source)).size;
    this.#data = { lanes: together(lanes, incidents).map((lane) => withDeaf(lane, incidents)), more, incidents, hosts };
    this.#told = '';
    this.#arrange();
  }

  /** Which lanes are shown, and in which order. */
  #arrange() {
    const { lanes, incidents, hosts, more } = this.#data;
    const order = incidents.filter(({ severity }) => severity !== 'notice').flatMap(({ subject = '', subjects = [] }) => [subject, ...subjects.map(({ key }) => key)]);
    const subjects = new Set(order);
    const place = ({ key, keys }) => (order.indexOf(keys?.[0] ?? key) + 1 || order.length + 1);
    const known = lanes.map((lane, n) => ({ lane, n, weight: weight(lane, subjects), at: place(lane) }));
    known.sort((a, b) => b.weight - a.weight || a.at - b.at || a.n - b.n);
    let shown = unasked(known);
    const hidden = known.length - shown.length - known.filter((one) => one.lane.role === 'host' && !shown.includes(one)).length + more;
    if (this.#all) shown = known.filter((one) => one.lane.role !== 'host' || one.weight > 0 || hosts > 1);
    if (hosts > 1) {
      // A host leads its group, and the groups come as the worst of each does.
      const groups = [...new Set(shown.map(({ lane }) => lane.source))];
      const headOf = (/** @type {string} */ source) => known.find(({ lane }) => lane.role === 'host' && lane.source === source)
        ?? { lane: /** @type {Lane} */ ({ key: source, source, project: null, role: 'host', containers: [], spans: [], marks: [], events: [], folded: 0 }), n: 0, weight: 0, at: 0 };
      shown = groups.flatMap((source) => [headOf(source), ...shown.filter(({ lane }) => lane.source === source && lane.role !== 'host')]);
    }
    const before = this.#rows;
    if (this.#list.matches(':hover')) {
      // Nothing moves under a pointer: what is new comes below until it has left.
      const held = this.#shown.map(({ lane }) => keyOf(lane));
      const rank = (/** @type {{lane: Lane}} */ { lane }) => held.indexOf(keyOf(lane)) + 1 || held.length + 1;
      shown = shown.sort((a, b) => rank(a) - rank(b));
    }
    this.#rows = new Map();
    this.#shown = shown.map(({ lane, weight: of }) => {
      const key = keyOf(lane);
      const row = before.get(key) ?? this.#row();
      Object.assign(row, { lane, weight: of });
      this.#rows.set(key, row);
      const name = printable(lane.key);
      write(row.name, shortened(name, this.#list.clientWidth < NARROW_PX ? NAME_NARROW : NAME));
      row.name.title = name;
      row.box.dataset.role = lane.role;
      row.box.classList.toggle('ch-quiet', of < 2);
      return row;
    });
    const boxes = this.#shown.map(({ box }) => box);
    if (boxes.length !== this.#list.children.length || boxes.some((box, n) => box !== this.#list.children[n])) this.#list.replaceChildren(...boxes);
    this.#rove(this.#shown.find(({ box }) => box.contains(document.activeElement)) ?? this.#shown[0]);
    this.#quiet.hidden = hidden <= 0 && !this.#all;
    write(this.#quiet, this.#all ? 'only those with something to tell' : `and ${count(hidden)} ${known.filter(({ weight: w }) => w > 0).length > SHOWN ? 'more' : 'quiet'}`);
  }

  /** @returns {Row} */
  #row() {
    const name = html('span', { class: 'ch-name' });
    const state = html('span', { class: 'ch-state' });
    const plot = svg('svg', { height: HEIGHT, 'aria-hidden': 'true', class: 'ch-lane' });
    const button = html('button', { type: 'button', tabindex: -1, class: 'ch-side' }, name, ' ', state);
    const box = html('li', {}, button, plot);
    return /** @type {any} */ ({ box, name, state, plot, stops: [], stop: -1 });
  }

  /** @param {import('./timescale.js').TimeScale} scale @param {number} now @param {import('./histogram.js').Unknown[]} lost @param {boolean} all also what is not near the screen */
  draw(scale, now, lost, all) {
    this.#scale = scale;
    this.#now = now;
    this.#drawBands(scale, now);
    const box = /** @type {HTMLElement} */ (this.#list.closest('.charts'));
    const height = this.#shown[0]?.box.offsetHeight || HEIGHT;
    const first = (box.scrollTop - box.clientHeight) / height;
    const last = (box.scrollTop + 2 * box.clientHeight) / height;
    for (const [place, row] of this.#shown.entries()) {
      const { lane } = row;
      const { text, level } = stateAt(lane, now, (at) => clockText(at, scale.span > DAYS_MS / 4 ? 60_000 : 1_000));
      write(row.state, row.weight === 0 && text === 'runs' ? '' : text);
      row.state.dataset.level = level;
      // What is not near the screen is drawn when it comes there.
      if (!all && (place < first || place > last)) continue;
      const seen = segments(lane, scale, now);
      const marks = melt(lane.events, scale, now);
      row.stops = [...seen.map((segment) => this.#stopOf(lane, segment)), ...marks.map((mark) => ({
        x: mark.x, width: mark.width, text: `${this.#time(mark.events[0].at)}${mark.events.length > 1 ? ` to ${this.#time(mark.events.at(-1)?.at ?? 0)}` : ''}: ${markText(mark)}`,
        act: () => this.#actions.record(mark.events[0].record),
      }))];
      const gaps = lost.filter(({ source }) => source === '' || source === lane.source).map(({ from, until, kind }) => {
        const x = Math.max(0, scale.x(from));
        return svg('rect', { class: `ch-${kind}`, x, y: 0, width: Math.max(2, Math.min(scale.width, scale.x(Math.min(until, now))) - x), height: HEIGHT });
      });
      row.plot.setAttribute('viewBox', `0 0 ${scale.width} ${HEIGHT}`);
      row.plot.replaceChildren(...this.#bars(seen, marks), ...gaps, ...marks.map(({ kind, x, width, n }) => {
        const isTick = width === TICK;
        const drawn = isTick ? svg('path', { class: `ch-mark ch-${kind}`, d: 'M0 0h6l-3 5z' }) : glyph(kind, width, n);
        drawn.setAttribute('transform', `translate(${x.toFixed(1)} ${isTick ? 0 : 3})`);
        return drawn;
      }));
    }
    this.#mirrorOf(now);
  }

  /** @param {import('./spans.js').Segment[]} seen @param {import('./spans.js').Mark[]} marks */
  #bars(seen, marks) {
    /** @type {Map<string, string[]>} */
    const paths = new Map();
    const words = [];
    for (const { state, x, width } of seen) {
      if (!paths.has(state)) paths.set(state, []);
      const [top, height] = BARS[state] ?? [10, 0];
      const box = (/** @type {number} */ y, /** @type {number} */ h) => paths.get(state)?.push(`M${x.toFixed(1)} ${y}h${width.toFixed(1)}${h ? `v${h}h${(-width).toFixed(1)}z` : ''}`);
      if (state === 'paused') {
        box(6, 2);
        box(11, 2);
      } else box(state === 'down' ? top + 0.5 : top, height);
      const at = state === 'down' && width > WORD_PX ? wordAt(x + 14, x + width, marks) : null;
      // Of several over each other once.
      if (at !== null && !words.some((word) => Math.abs(Number(word.getAttribute('x')) - at) < WORD_PX)) words.push(svg('text', { class: 'ch-downword', x: at, y: 14 }, 'down'));
    }
    return [...[...paths].map(([state, d]) => svg('path', { class: `ch-is-${state}`, d: d.join('') })), ...words];
  }

  /** @param {import('./timescale.js').TimeScale} scale @param {number} now */
  #drawBands(scale, now) {
    const bands = this.#data.incidents.filter(({ start, severity }) => severity !== 'notice' && millis(start) <= Math.min(now, scale.until)).flatMap(({ id, start, end, state }) => {
      const left = scale.x(Math.max(millis(start), scale.from));
      const until = end === null ? Number.POSITIVE_INFINITY : millis(end);
      if (until < scale.from) return [];
      const width = Math.max(2, scale.x(Math.min(until, now, scale.until)) - left);
      const kind = id === this.#chosen ? ' ch-read' : state === 'closed' ? ' ch-over' : '';
      const line = (/** @type {number} */ x) => svg('rect', { class: `ch-bandline${kind}`, x, y: 0, width: 1, height: '100%' });
      return [svg('rect', { class: `ch-band${kind}`, x: left, y: 0, width, height: '100%' }), ...(millis(start) >= scale.from ? [line(left)] : []), ...(until <= Math.min(now, scale.until) ? [line(left + width - 1)] : [])];
    });
    // Stretched as the lanes are, on paper too.
    this.#bands.setAttribute('viewBox', `0 0 ${scale.width} 1`);
    this.#bands.replaceChildren(...bands);
  }

  /** @param {number} at */
  #time(at) {
    return clockText(at, Math.min(this.#scale?.fine ?? 1_000, 1_000));
  }

  /** @param {Lane} lane @param {import('./spans.js').Segment} segment @returns {Stop} */
  #stopOf(lane, { from, until, state, n, x, width }) {
    const isNow = until >= this.#now;
    const words = `${NAMES[state] ?? state}${n > 1 ? ` (${count(n)} short spans)` : ''}`;
    const text = `${words} from ${this.#time(from)}${isNow ? ' on' : ` to ${this.#time(until)}`}, ${spanText(until - from)}`;
    return { x, width, text, act: () => this.#actions.filter(lane, from, until) };
  }

  /** @param {MouseEvent} event @returns {{row: Row, x: number}|null} */
  #under(event) {
    const row = this.#shown.find(({ plot }) => plot === /** @type {Element} */ (event.target).closest?.('.ch-lane'));
    return row ? { row, x: event.clientX - row.plot.getBoundingClientRect().left } : null;
  }

  /** What lies at a place: marks above spans above incidents. @param {Row} row @param {number} x @returns {Stop|null} */
  #stopAt(row, x) {
    const stop = row.stops.findLast((one) => x >= one.x - 2 && x <= one.x + one.width + 2);
    if (stop) return stop;
    const at = this.#scale?.at(x) ?? 0;
    const incident = this.#data.incidents.find(({ start, end }) => millis(start) <= at && (end === null || millis(end) >= at));
    return incident ? { x, width: 0, text: `${incident.severity} incident: ${printable(incident.title)}`, act: () => this.#actions.incident(incident.id) } : null;
  }

  /** @param {PointerEvent} event */
  #hover(event) {
    const under = this.#under(event);
    const stop = under && this.#stopAt(under.row, under.x);
    if (under) under.row.plot.classList.toggle('ch-hit', stop !== null);
    if (under && stop) this.#actions.tell(`${printable(under.row.lane.key)} · ${stop.text}`, under.x, under.row.box, false);
    else this.#actions.untell();
  }

  /** @param {MouseEvent} event */
  #click(event) {
    const under = this.#under(event);
    if (under) {
      this.#stopAt(under.row, under.x)?.act();
      return;
    }
    const row = this.#shown.find(({ box }) => box.contains(/** @type {Node} */ (event.target)));
    if (!row || !this.#scale) return;
    // By Enter what the keys have come to, else all of the lane.
    const stop = event.detail === 0 ? row.stops[row.stop] : undefined;
    if (stop) stop.act();
    else this.#actions.filter(row.lane, this.#scale.from, this.#scale.until);
  }

  /** @param {Row|undefined} row the one that Tab comes to */
  #rove(row) {
    for (const { box } of this.#shown) box.firstElementChild.tabIndex = box === row?.box ? 0 : -1;
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    const at = this.#shown.findIndex(({ box }) => box.contains(/** @type {Node} */ (event.target)));
    const row = this.#shown[at];
    if (!row || event.ctrlKey || event.metaKey || event.altKey) return;
    const rows = { ArrowUp: at - 1, ArrowDown: at + 1 }[event.key];
    if (rows !== undefined) {
      const next = this.#shown[rows];
      if (next) {
        this.#rove(next);
        next.stop = -1;
        next.box.firstElementChild.focus();
      }
    } else if (event.key === 'ArrowLeft' || event.key === 'ArrowRight') {
      row.stops.sort((a, b) => a.x - b.x);
      row.stop = Math.min(row.stops.length - 1, Math.max(0, row.stop + (event.key === 'ArrowRight' ? 1 : row.stop < 0 ? row.stops.length : -1)));
      const stop = row.stops[row.stop];
      if (stop) this.#actions.tell(stop.text, stop.x + Math.min(stop.width, 14) / 2, row.box, true);
    } else if (event.key === 'Escape' && row.stop >= 0) {
      row.stop = -1;
      this.#actions.untell();
    } else return;
    event.preventDefault();
    event.stopPropagation();
  }

  /** @param {number} now */
  #mirrorOf(now) {
    const { lanes, hosts } = this.#data;
    const sum = (/** @type {Lane} */ { marks }, /** @type {string} */ kind) => marks.reduce((all, [, what, , , n]) => all + (what === kind ? Math.max(1, n) : 0), 0);
    if (now - this.#mirrored < MIRROR_MS && now >= this.#mirrored && this.#told !== '') return;
    this.#mirrored = now;
    const rows = lanes.map((lane) => {
      const change = lane.events.findLast(({ kind }) => kind === 'C');
      const changed = change ? `${dayText(change.at)} ${clockText(change.at, 1_000)}, ${change.text}` : 'none';
      // Without how long: that would be another table each time.
      const { state } = stateAt(lane, now, String);
      return [`${printable(lane.key)}${hosts > 1 ? ` on ${lane.source}` : ''}`, NAMES[state] ?? state, sum(lane, 'die'), sum(lane, 'oom'), printable(changed)];
    });
    const told = JSON.stringify(rows);
    if (told === this.#told) return;
    this.#told = told;
    this.#mirror.replaceChildren(table('Lanes', ['lane', 'state', 'failures', 'out of memory', 'last change'], rows));
  }
}
