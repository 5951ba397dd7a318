// Incidents in words: whole sentences, the past tense for what happened, "after" and never "because of". Pure.

import { count, printable } from './format.js';
import { millis } from './timespan.js';

/**
 * @typedef {{what: string, from: string|null, to: string|null}} Change
 * @typedef {{kind: string, record: string, time: string, text: string, subject?: string, before?: string, after?: string, changes?: Change[]}} Cause
 * @typedef {{record: string, time: string, what: string, changes?: Change[]}} Act
 * @typedef {{time: string, record: string|null, what: string, subject: string, text: string, folded: number}} Step
 * @typedef {{kind: string, severity: string, start: string, first: string, text: string, cause: Cause[]}} Phase
 *
 * @typedef {object} Incident  as the API has it; what is not known is passed over
 * @property {string} id  @property {number} revision  @property {string} kind
 * @property {'notice'|'minor'|'major'|'critical'} severity
 * @property {'open'|'recovering'|'closed'} state
 * @property {string|null} resolution  @property {boolean} down  @property {string} title
 * @property {string} source  @property {string} subject  @property {{key: string, role: string}[]} subjects
 * @property {string[]} containers  @property {string} start  @property {string|null} end
 * @property {string} known  @property {string|null} next_start
 * @property {string} first  @property {string} last
 * @property {{deaths: number, oom: number, unhealthy: number, exit: Record<string, number>}} counts
 * @property {Cause[]} cause  @property {Act[]} actions  @property {Phase[]} [phases]
 * @property {{record: string}[]} [failures]
 * @property {string[]} evidence  @property {number} evidence_more
 * @property {'complete'|'qualified'} confidence  @property {string[]} qualified
 * @property {{down: number, of: number}} [replicas]  @property {string} [merged_into]
 * @property {{incidents: string[], sources: string[], severity: Incident['severity'], state: Incident['state'], end: string|null}} [across]
 *   the same on other hosts
 * @property {Step[]} [timeline]  @property {{id: string, severity: string, start: string, title: string}[]} [related]
 */

/** Before and after an incident, in milliseconds. */
const AROUND_MS = 60_000;
/** Each severity has a shape. @type {Record<string, string>} */
export const SHAPES = { critical: '▲', major: '◆', minor: '●', notice: '○' };
/** @type {Record<string, number>} */
const WORST = { critical: 0, major: 1, minor: 2, notice: 3 };

/** Open first, then the worst, then the newest. @param {Incident[]} incidents @returns {Incident[]} */
export function inOrder(incidents) {
  const closed = (/** @type {Incident} */ { state }) => (state === 'closed' ? 1 : 0);
  return [...incidents].sort((a, b) => closed(a) - closed(b) || (WORST[a.severity] ?? 3) - (WORST[b.severity] ?? 3) || b.start.localeCompare(a.start));
}

/** @param {number} ms @returns {string} like `1 min 20 s`, never finer than it matters */
export function lengthText(ms) {
  if (!(ms >= 0)) return 'some time';
  if (ms < 1_000) return 'under 1 s';
  const s = Math.round(ms / 1_000);
  const two = (/** @type {number} */ big, /** @type {string} */ unit, /** @type {number} */ small, /** @type {string} */ less, /** @type {number} */ upTo) =>
    `${big} ${unit}${small > 0 && big < upTo ? ` ${small} ${less}` : ''}`;
  if (s < 60) return `${s} s`;
  if (s < 3_600) return two(Math.floor(s / 60), 'min', s % 60, 's', 10);
  const min = Math.round(s / 60);
  return min < 48 * 60 ? two(Math.floor(min / 60), 'h', min % 60, 'min', 10) : `${Math.round(min / 1_440)} days`;
}

/** @param {string} text of the fold's @returns {string} the same for people */
export const plain = (text) => printable(text)
  .replace(/; image digest \S+ -> [^\s;]+/g, '')
  .replace(/(?:sha256:)?\b([0-9a-f]{12})[0-9a-f]{20,}\b/g, '$1')
  .replace(/; config-hash \S+ -> [^\s;]+|config-hash \S+ -> \S+; /g, '')
  .replace(/ \(SIG\w+\), not through (?:the|Docker's) API and with no oom told/g, ', not by Docker and not for memory')
  .replace(/(image \S+):(\S+) -> (?:\S+):(\S+)/g, (whole, image, from, to) => (whole.includes(` -> ${image.slice(6)}:`) ? `${image}:${from} → ${to}` : whole))
  .replaceAll(' -> ', ' → ')
  .replace(/^(\d+) subjects failed/, '$1 containers failed')
  .replace(/\b([1-9]\d*) s\b/g, (_, s) => lengthText(s * 1_000))
  // A number keeps its unit.
  .replace(/(\d) (s|ms|min|h)\b/g, '$1\u00a0$2');

/** @param {string} text */
const capital = (text) => text.slice(0, 1).toUpperCase() + text.slice(1);

/** @param {Incident} incident @returns {string} whom it is about */
export function subjectText({ kind, subject, subjects, source }) {
  if (kind === 'mass' && subjects.length > 1) {
    const names = subjects.map(({ key }) => printable(key)).sort();
    return `${names[0]} … ${names.at(-1)}`;
  }
  return printable(subject || source);
}

/** @param {Incident} incident @returns {{fact: string, rest: string}} what happened, apart from its subject, and what goes with it */
export function sentenceParts({ title, subject }) {
  let text = plain(title);
  if (subject && text.startsWith(`${printable(subject)} `)) text = text.slice(printable(subject).length + 1);
  const [, fact, rest] = /^(.*?)((?:; | after (?!it was told)|, not by ).*)?$/s.exec(text) ?? ['', text, ''];
  return { fact: capital(fact), rest: rest ?? '' };
}

/** Whether what was done put back what had changed. @param {Incident} incident */
export function isRolledBack({ cause, actions }) {
  const image = (/** @type {{changes?: Change[]}} */ { changes }) => changes?.find(({ what }) => what === 'image');
  const changed = cause.map(image).find(Boolean);
  return Boolean(changed && actions.some((act) => image(act)?.to === changed.from));
}

/** @type {Record<string, string>} */
const OUTCOMES = { recovered: 'recovered by itself', restarted: 'restarted through the API', redeployed: 're-created', stopped: 'never recovered; stopped', removed: 'never recovered; removed' };

/** Those that say the same one after the other, together. @param {Incident[]} incidents @returns {Incident[][]} none is empty */
export function runsOf(incidents) {
  /** @type {Incident[][]} */
  const runs = [];
  for (const each of incidents) {
    const last = runs.at(-1);
    if (last && last[0].title === each.title && last[0].source === each.source) last.push(each);
    else runs.push([each]);
  }
  return runs;
}

/** @param {Incident} incident @param {number} now @returns {string} like `open` or `rolled back after 46 s` */
export function outcome(incident, now) {
  const { state, resolution, start, end } = incident;
  if (state === 'recovering') return 'recovering';
  if (state === 'open') return 'open';
  const how = resolution === 'redeployed' && isRolledBack(incident) ? 'rolled back' : OUTCOMES[resolution ?? ''] ?? resolution ?? 'over';
  const took = (end ? millis(end) : now) - millis(start);
  return took > 0 ? `${how} after ${lengthText(took)}` : how;
}

/**
 * Whether an incident is about what the filter names: hosts, projects, services and containers. Other terms are about records.
 * @param {Incident} incident @param {import('./filter.js').Term[]} terms
 */
export function isAbout({ source, subjects, containers = [] }, terms) {
  const parts = subjects.map(({ key }) => key.split('/'));
  const held = /** @type {Record<string, string[]>} */ ({ source: [source], project: parts.map(([project, ...rest]) => (rest.length ? project : '')), service: parts.map((all) => all[all.length > 1 ? 1 : 0]) });
  const names = subjects.flatMap(({ key }) => [key, key.replace('/', '_'), key.replace('/', '-'), key.slice(key.indexOf('/') + 1)]);
  const isNamed = (/** @type {string} */ value) => names.some((name) => name.startsWith(value.replace(/\*$/, ''))) || containers.some((id) => id.startsWith(value) || value.startsWith(id));
  const others = terms.filter(({ key, exclude }) => key === 'container' && !exclude);
  if (others.length > 0 && !others.some(({ value }) => isNamed(value))) return false;
  if (terms.some(({ key, exclude, value }) => key === 'container' && exclude && isNamed(value))) return false;
  return Object.entries(held).every(([key, values]) => {
    const asked = terms.filter((term) => term.key === key);
    const fits = (/** @type {import('./filter.js').Term} */ { value }) => values.includes(value);
    const wanted = asked.filter(({ exclude }) => !exclude);
    return (wanted.length === 0 || wanted.some(fits)) && !asked.some((term) => term.exclude && fits(term));
  });
}

/** Kinds of causes that say how it failed, and not why. */
const HOW = ['exit-code', 'health', 'signal', 'unknown'];

/** Whether Docker's events do not say why: nothing came before it that may have led to it. @param {Incident} incident */
export const isCauseUnsaid = ({ kind, severity, cause }) => severity !== 'notice' && kind !== 'host' && cause.length > 0
  && cause.every((each) => HOW.includes(each.kind) && !/restart policy/.test(each.text));

/** Whether an incident met a part of the time. @param {Incident} incident @param {{since: string, until: string}} range */
export const isWithin = ({ start, end }, { since, until }) => millis(start) <= millis(until) && (end === null || millis(end) >= millis(since));

/** @param {number} n @param {string} one @param {string} [many] @returns {string} */
export const counted = (n, one, many = `${one}s`) => `${count(n)} ${n === 1 ? one : many}`;

/** Of the tab: none open is not none at all, and what the filter hides is not gone. @param {number} open @param {number} all @param {number} [hidden] @returns {string} */
export function countText(open, all, hidden = 0) {
  if (hidden > 0) return `${count(all)} of ${count(all + hidden)}`;
  return all === 0 ? '0' : `${count(open)} open of ${count(all)}`;
}

/** The state of the world. @param {Incident[]} incidents without notices @param {boolean} more @param {number} hidden by the filter @returns {{head: string, sub: string, open: number}} */
export function world(incidents, more = false, hidden = 0) {
  const open = incidents.filter(({ state }) => state !== 'closed');
  const closed = incidents.length - open.length;
  const critical = incidents.filter(({ severity }) => severity === 'critical').length;
  const head = open.length === 0 ? (hidden > 0 ? 'Nothing that matches is open' : 'Nothing is open') : `${counted(open.length, 'incident')} ${open.length === 1 ? 'is' : 'are'} open`;
  const parts = [closed > 0 ? `${more ? 'at least ' : ''}${counted(closed, 'closed', 'closed')}` : incidents.length > 0 ? 'none closed' : 'no incident'];
  if (critical > 0) parts.push(`${counted(critical, 'critical', 'critical')}`);
  if (hidden > 0) parts.push(`${count(hidden)} hidden by the filter`);
  return { head, sub: parts.join(' · '), open: open.length };
}

/** The classes of a histogram that people ask for, summed. @param {{classes: string[], bins: number[][]}} histogram @returns {string} */
export function plannedText({ classes, bins }) {
  const sum = (/** @type {string} */ name) => bins.reduce((all, bin) => all + (bin[classes.indexOf(name)] ?? 0), 0);
  const [stops, starts, changes, probes] = ['stop', 'start', 'change', 'probe'].map(sum);
  const parts = [];
  if (stops > 0) parts.push(counted(stops, 'stop or ended job', 'stops and ended jobs'));
  if (starts > 0) parts.push(counted(starts, 'start'));
  if (changes > 0) parts.push(counted(changes, 'change'));
  // Each probe is three events.
  if (probes > 0) parts.push(`${counted(Math.ceil(probes / 3), 'probe')} folded`);
  return parts.join(', ');
}

const iso = (/** @type {number} */ ms) => new Date(ms).toISOString();

/** The time that an incident and its first cause take. @param {Incident} incident @param {number} now */
export function spanOf({ start, end, cause, timeline = [] }, now) {
  const times = [start, ...cause.map(({ time }) => time), ...timeline.slice(0, 1).map(({ time }) => time)].map(millis).filter((ms) => ms > 0);
  return { from: Math.min(...times), until: end ? millis(end) : now };
}

/** The time of an incident with some before and after it. @param {Incident} incident @param {number} now */
export function rangeOf(incident, now) {
  const { from, until } = spanOf(incident, now);
  return { since: iso(Math.floor((from - AROUND_MS) / 1_000) * 1_000), until: iso(Math.ceil((until + AROUND_MS) / 1_000) * 1_000) };
}

/** The filter on the containers of an incident; of a whole host, on that. @param {Incident} incident */
export const filtersOf = ({ containers, source }) => JSON.stringify(containers.length ? { container: containers } : { source: [source] });
