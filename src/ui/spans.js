// What a lane did, to segments and marks that can be drawn, and its state in words. Pure.

import { spanText } from './format.js';
import { millis } from './timespan.js';

/** Farther than this from its time, in pixels, no mark stands. */
const FARTHEST = 21;
/** Width of a tick. */
export const TICK = 6;
/** Width of a mark, and of a digit and what is around its number, in pixels. */
export const MARK = 14;
const DIGIT = 7;
const AROUND = 4;
/** More, where a shape leaves its letter less room. @type {Record<string, number>} */
const POINTED = { M: 4 };
/** A death so long after its `oom` is the same failure, in milliseconds. */
const OF_OOM_MS = 5_000;
/** A container made so long before or after the end of another one took its place. */
const SUCCEEDED_MS = 60_000;

/**
 * @typedef {object} Lane as the API has it, with times in milliseconds since 1970
 * @property {string} key @property {string} source @property {string|null} project @property {'service'|'job'|'host'} role
 * @property {string[]} containers
 * @property {[number, number, string, number][]} spans from, until (infinity: it goes on), state, how many have melted
 * @property {[number, string, string, string|null, number][]} marks when, what, record, detail, how many have melted
 * @property {number} folded
 * @property {string[]} [keys] of a lane that stands for several
 * @property {Event[]} events what is drawn of the marks
 *
 * @typedef {{from: number, until: number, state: string, n: number, x: number, width: number}} Segment
 * @typedef {'X'|'M'|'C'|'H'|'G'|'K'|'P'} Kind failed, out of memory, changed, unhealthy, gap, did not stop and was killed, as planned
 * @typedef {{at: number, kind: Kind, record: string, text: string, n: number}} Event
 * @typedef {{kind: Kind, x: number, width: number, n: number, events: Event[]}} Mark
 * @typedef {{text: string, level: 'bad'|'warn'|'plain', state: string}} State
 */

/** @param {string} state */
const isDown = (state) => state === 'down' || state === 'restarting' || state === 'looping';

/** @param {Pick<Lane, 'spans'>} lane @param {import('./timescale.js').TimeScale} scale @param {number} now @returns {Segment[]} what can be seen of it */
export function segments(lane, scale, now) {
  /** @type {Segment[]} */
  const seen = [];
  for (const [since, ended, state, n] of lane.spans) {
    const from = Math.max(since, scale.from);
    const until = Math.min(ended, scale.until, now);
    if (until < from || (until === from && ended <= now)) continue;
    const x = scale.x(from);
    seen.push({ from: since, until, state, n, x, width: Math.max(1, scale.x(until) - x) });
  }
  return seen;
}

/** A lane as it is drawn. @param {any} lane as the API has it @returns {Lane} */
export function laneOf(lane) {
  const spans = lane.spans.map(([from, until, ...rest]) => [millis(from), until === null ? Number.POSITIVE_INFINITY : millis(until), ...rest]);
  const marks = lane.marks.map(([at, ...rest]) => [millis(at), ...rest]);
  const parsed = { ...lane, spans, marks };
  return { ...parsed, events: events(parsed) };
}

/** What happened in a lane, with a letter: what only goes on has none. @param {Lane} lane @returns {Event[]} */
function events(lane) {
  /** @type {Event[]} */
  const told = [];
  let oom = Number.NaN;
  let image = '';
  // What is there from the beginning had been made before.
  let isThere = lane.spans.length > 0 && lane.marks.length > 0 && lane.spans[0][0] < lane.marks[0][0];
  for (const [at, what, record, detail, melted] of lane.marks) {
    const n = Math.max(1, melted);
    const add = (/** @type {Event['kind']} */ kind, /** @type {string} */ text) => told.push({ at, kind, record, text, n });
    if (what === 'oom') {
      oom = at;
      add('M', 'out of memory');
    } else if (what === 'die') {
      // Of an oom and its death one is drawn, and it says how that ended.
      const own = told.at(-1);
      if (at - oom <= OF_OOM_MS && own?.kind === 'M' && own.n === n) own.text = `out of memory, ${detail ?? 'died'}`;
      else add('X', `failed, ${detail ?? 'exit code not told'}`);
      oom = Number.NaN;
    } else if (what === 'health' && detail === 'unhealthy') {
      add('H', 'unhealthy');
    } else if (what === 'create') {
      if (isThere && lane.role !== 'job') add('C', image && detail !== image ? `re-created: ${image} → ${detail}` : `re-created from ${detail}`);
      image = detail ?? '';
      isThere = true;
    } else if (what === 'stop' && !(lane.role === 'job' && detail === 'exit 0')) {
      const by = successor(lane, at);
      const how = by !== null ? `replaced by ${by || 'another one'}` : detail === 'exit 137' ? 'killed as asked' : detail === 'exit 0' ? 'ended as asked or by itself' : 'ended as asked';
      add('P', `${how}, ${detail ?? 'exit code not told'}`);
    } else if (what === 'disconnect' || what === 'gap') {
      if (detail !== 'first-contact') add('G', what === 'gap' ? `events were lost (${detail})` : 'nobody listened from here on');
    }
  }
  return told;
}

/** What took the place of one that ended: made soon after, or while it still ran. @param {Lane} lane @param {number} at @returns {string|null} its image; null: nothing did */
function successor({ spans, marks }, at) {
  const ran = (/** @type {number} */ time) => spans.some(([from, until, state]) => state === 'running' && from < time && until > time && until <= at + 1);
  const made = marks.find(([time, what]) => what === 'create' && Math.abs(time - at) <= SUCCEEDED_MS && (time >= at || ran(time)));
  return made ? made[3] ?? '' : null;
}

/**
 * A lane with the stops that were not obeyed, as notices tell them: a mark of its own each, taken off what was asked for.
 * @param {Lane} lane @param {{kind?: string, source?: string, subject?: string, start: string, title: string}[]} incidents @returns {Lane}
 */
export function withDeaf(lane, incidents) {
  const deaf = incidents.filter(({ kind, source, subject }) => kind === 'stop-timeout' && source === lane.source && (subject === lane.key || lane.keys?.includes(subject ?? '')));
  if (deaf.length === 0) return lane;
  const told = lane.events.map((event) => ({ ...event }));
  for (const { start, title, id, last = id } of /** @type {any[]} */ (deaf)) {
    const at = millis(start);
    const own = told.findLast((event) => event.kind === 'P' && event.at <= at);
    if (own) own.n -= 1;
    told.push({ at, kind: /** @type {const} */ ('K'), record: last, text: deafText(title), n: 1 });
  }
  return { ...lane, events: told.filter(({ n }) => n > 0).sort((a, b) => a.at - b.at) };
}

/** @param {string} title of a stop that was not obeyed @returns {string} */
const deafText = (title) => {
  const [, waited = ''] = /SIGKILL (\d+ s) after/.exec(title) ?? [];
  return `did not stop${waited && ` in ${waited}`} and was killed, exit 137`;
};

/** @param {Kind} kind @param {number} n */
export const widthOf = (kind, n) => MARK + (n > 1 ? AROUND + DIGIT * String(n).length : 0) + (POINTED[kind] ?? 0);

/**
 * Marks that would lie over each other are one, with their number. A change never melts into a failure: it moves to the
 * side on which it was, before or after; with no room near, it is a tick at its time. What was asked for gives way to all.
 * @param {Event[]} all @param {import('./timescale.js').TimeScale} scale @param {number} now @returns {Mark[]}
 */
export function melt(all, scale, now) {
  /** @type {Mark[]} */
  const placed = [];
  /** @type {Mark[]} */
  const ticks = [];
  const meets = (/** @type {number} */ x, /** @type {number} */ width) => placed.filter((mark) => x < mark.x + mark.width && mark.x < x + width);
  for (const kind of /** @type {const} */ (['X', 'M', 'C', 'H', 'G', 'K', 'P'])) {
    /** @type {Mark[]} */
    const melted = [];
    for (const event of all) {
      if (event.kind !== kind || event.at < scale.from || event.at > Math.min(scale.until, now)) continue;
      const x = Math.min(Math.max(0, scale.x(event.at) - MARK / 2), scale.width - MARK);
      const last = melted.at(-1);
      if (last && x < last.x + last.width) {
        last.events.push(event);
        last.n += event.n;
        last.width = widthOf(kind, last.n);
      } else {
        melted.push({ kind, x, width: widthOf(kind, event.n), n: event.n, events: [event] });
      }
    }
    for (const mark of melted) {
      mark.x = Math.max(0, Math.min(mark.x, scale.width - mark.width));
      const wanted = mark.x;
      let met = meets(mark.x, mark.width);
      if (kind === 'P' && met.length > 0) continue;
      const isLater = (/** @type {Mark} */ { events: [first] }) => mark.events[0].at > first.at;
      const isAfter = met.length > 0 && isLater(met[0]);
      let isAmong = false;
      for (let tries = 0; met.length > 0 && !isAmong && tries < placed.length; tries += 1) {
        isAmong = met.some((other) => isLater(other) !== isAfter);
        mark.x = isAfter ? Math.max(...met.map(({ x, width }) => x + width)) : Math.min(...met.map(({ x }) => x)) - mark.width;
        met = meets(mark.x, mark.width);
      }
      if (!isAmong && Math.abs(mark.x - wanted) <= FARTHEST && mark.x >= 0 && mark.x + mark.width <= scale.width) placed.push(mark);
      else for (const event of mark.events) tick(kind, event, ticks, scale);
    }
  }
  return [...placed, ...ticks].sort((a, b) => a.x - b.x);
}

/** @param {Kind} kind @param {Event} event @param {Mark[]} ticks @param {import('./timescale.js').TimeScale} scale */
function tick(kind, event, ticks, scale) {
  const x = Math.min(Math.max(0, scale.x(event.at) - TICK / 2), scale.width - TICK);
  const last = ticks.at(-1);
  if (last?.kind === kind && x < last.x + TICK) {
    last.events.push(event);
    last.n += event.n;
  } else ticks.push({ kind, x, width: TICK, n: event.n, events: [event] });
}

/** Pixels that the word in a span takes. */
const WORD = 28;

/** Where a word has room in a span: beside the marks. @param {number} from @param {number} until @param {Mark[]} marks rising @returns {number|null} */
export function wordAt(from, until, marks) {
  let at = from;
  for (const { x, width } of marks) if (x < at + WORD && at < x + width) at = x + width + 3;
  return at + WORD <= until ? at : null;
}

/** @param {Mark} mark @returns {string} */
export function markText({ events: [first, ...more], n }) {
  if (n === 1) return first.text;
  const texts = new Set([first, ...more].map(({ text }) => text));
  return texts.size === 1 ? `${first.text}, ${n} times` : `${n} times: ${[...texts].slice(0, 3).join('; ')}${texts.size > 3 ? '; …' : ''}`;
}

/** Of several containers of one lane at once, the first of these is told. */
const RANK = ['restarting', 'looping', 'down', 'unhealthy', 'unknown', 'paused', 'running', 'created', 'exited'];
/** So long after a failure it is told for how long it has been up. */
const WELL_MS = 600_000;

/** What a lane is doing at a time: spans that count, the worst first. @param {Lane} lane @param {number} time @returns {Lane['spans']} */
function doing(lane, time) {
  const open = lane.spans.filter(([from, until]) => from <= time && until > time);
  const runs = ([, , state]) => state === 'running' || state === 'unhealthy' || state === 'paused';
  const newest = open.filter(runs).reduce((max, [from]) => Math.max(max, from), 0);
  // What was made again leaves its predecessor behind.
  const counts = (/** @type {Lane['spans'][0]} */ span) => newest === 0 || runs(span) || (!['created', 'exited'].includes(span[2]) && span[0] > newest);
  return open.filter(counts).sort((a, b) => RANK.indexOf(a[2]) - RANK.indexOf(b[2]) || b[0] - a[0]);
}

/**
 * What a lane is doing at a time, in words.
 * @param {Lane} lane @param {number} time @param {(at: number) => string} clock @returns {State}
 */
export function stateAt(lane, time, clock) {
  const all = doing(lane, time);
  if (all.length === 0) {
    const last = lane.spans.reduce((max, [, until]) => (until <= time ? Math.max(max, until) : max), 0);
    if (last === 0) return { text: lane.role === 'host' ? '' : 'not there yet', level: 'plain', state: 'none' };
    return { text: `gone ${clock(last)}`, level: 'plain', state: 'gone' };
  }
  const [since, , state] = all[0];
  const lasts = spanText(time - since);
  const deaths = lane.marks.filter(([at, what]) => what === 'die' && at <= time);
  const failed = deaths.reduce((sum, [, , , , n]) => sum + Math.max(1, n), 0);
  const times = failed > 1 ? `, failed ${failed}×` : '';
  const alike = all.filter((span) => span[2] === state).length;
  const isBack = deaths.length > 0 && time - since < WELL_MS;
  /** @type {Record<string, string>} */
  const words = {
    restarting: `waits${times}`,
    looping: failed > 1 ? `failing, ${failed}×` : 'starts and fails',
    down: all.length > 1 ? `${alike} of ${all.length} down` : `down ${lasts}`,
    unhealthy: `unhealthy ${lasts}`,
    running: lane.role === 'host' ? '' : isBack ? `up for ${lasts}` : 'runs',
    exited: `ended ${clock(since)}`,
    unknown: 'not known',
    created: 'not started',
  };
  const level = isDown(state) ? 'bad' : state === 'unhealthy' || state === 'unknown' ? 'warn' : 'plain';
  return { text: words[state] ?? state, level, state };
}

/** How much a lane has to tell: failing ones come first, and quiet ones are not shown unless asked for. @param {Lane} lane @param {Set<string>} subjects of incidents */
export function weight(lane, subjects) {
  const failed = lane.marks.some(([, what, , detail]) => what === 'die' || what === 'oom' || (what === 'health' && detail === 'unhealthy') || (what === 'gap' && detail !== 'first-contact') || what === 'disconnect');
  const isBad = failed || lane.spans.some(([, , state]) => isDown(state) || state === 'unhealthy' || state === 'unknown');
  if (lane.role === 'host') return isBad ? 1 : 0;
  if (subjects.has(lane.keys?.[0] ?? lane.key)) return 4;
  if (isBad && lane.role === 'service') return 3;
  if (isBad) return 2;
  return lane.events.some(({ kind }) => kind === 'C' || kind === 'K') ? 1 : 0;
}

/**
 * The lanes of a failure of many at once as one, named after the first and the last.
 * @param {Lane[]} lanes @param {{kind?: string, source?: string, subjects?: {key: string}[]}[]} incidents @returns {Lane[]}
 */
export function together(lanes, incidents) {
  let all = lanes;
  for (const { kind, source, subjects = [] } of incidents) {
    if (kind !== 'mass') continue;
    const keys = new Set(subjects.map(({ key }) => key));
    const some = all.filter((lane) => lane.role !== 'host' && lane.source === source && keys.has(lane.key));
    if (some.length < 4) continue;
    const names = some.map(({ key }) => key).sort();
    /** @type {Lane} */
    const one = {
      ...some[0], key: `${names[0]} … ${names.at(-1)}`, keys: names, containers: some.flatMap(({ containers }) => containers),
      spans: some.flatMap(({ spans }) => spans).sort((a, b) => a[0] - b[0]),
      marks: some.flatMap(({ marks }) => marks).sort((a, b) => a[0] - b[0]),
      events: some.flatMap(({ events: of }) => of).sort((a, b) => a.at - b.at),
    };
    all = all.map((lane) => (lane === some[0] ? one : lane)).filter((lane) => !some.includes(lane));
  }
  return all;
}

/** Lanes that are shown without being asked for: with something to tell, and else of any. */
export const SHOWN = 12;
const SHOWN_QUIET = 4;
/** More than so many are not shown unasked, even if they are of incidents. */
export const MAX_OF_INCIDENTS = 30;

/** The lanes that are shown unasked. @template {{weight: number, lane: {role: string}}} T @param {T[]} known in their order, by `weight` @returns {T[]} */
export function unasked(known) {
  const telling = known.filter(({ weight: w }) => w > 0);
  const shown = telling.slice(0, Math.max(SHOWN, Math.min(MAX_OF_INCIDENTS, telling.filter(({ weight: w }) => w === 4).length)));
  const quiet = known.filter((one) => one.weight === 0 && one.lane.role !== 'host');
  return shown.length < SHOWN_QUIET || quiet.length <= 2 ? [...shown, ...quiet.slice(0, Math.max(2, SHOWN_QUIET - shown.length))] : shown;
}
