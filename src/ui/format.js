// Turns one record into the texts and the severity that a row shows. Pure: no DOM, no state but the zone chosen.

import { endWords, exitWords, signalName } from './exits.js';
import { millis } from './timespan.js';
import { fields, offsetText } from './zone.js';

/**
 * @typedef {object} DockerEvent Docker's message, verbatim; every field may be missing in a foreign event
 * @property {string} [Type]
 * @property {string} [Action]
 * @property {{ID?: string, Attributes?: Record<string, string>}} [Actor]
 *
 * @typedef {object} LogRecord
 * @property {string} id      cursor: first 8 hex digits of the log's id, `-`, sequence
 * @property {number} seq
 * @property {string} time     the event's own time, RFC 3339 with nanoseconds
 * @property {string} received the recorder's time
 * @property {string} source
 * @property {string} [noise]  `healthcheck`: a probe, which says nothing by itself
 * @property {{bytes: number}} [cut]  only the head of the message is kept; it was this long
 * @property {boolean} [foreign]  a daemon's own line of the type `recorder`: not the recorder's
 * @property {boolean} [broken]  set here: its JSON cannot be read
 * @property {DockerEvent} event
 *
 * @typedef {'bad'|'oom'|'warn'|'plain'|'quiet'} Severity
 *
 * @typedef {object} Description
 * @property {string} clock  @property {string} time  @property {string} seq  @property {string} host
 * @property {string} type  @property {string} action  @property {string} name
 * @property {string} details  @property {Severity} severity
 */

/** @typedef {import('./cause.js').End} End */
/** @type {End} */
export const NOBODY_KNOWS = { why: '' };

const counts = new Intl.NumberFormat('en');

/** @param {number} n @returns {string} 12345 as `12,345` */
export const count = (n) => counts.format(n);

/**
 * `new Date` reads milliseconds only, and some engines refuse nine digits of fraction.
 * @param {string} iso @returns {Date}
 */
export const toDate = (iso) => new Date(String(iso).replace(/(\.\d{3})\d+/, '$1'));

const pad = (/** @type {number} */ n, width = 2) => String(n).padStart(width, '0');

/** @param {string|number} time @returns {string} in the zone chosen, HH:MM:SS.mmm */
export function clock(time) {
  const at = typeof time === 'number' ? new Date(time) : toDate(time);
  if (Number.isNaN(at.getTime())) return printable(String(time));
  const [, , , hours, minutes, seconds, ms] = fields(at);
  return `${pad(hours)}:${pad(minutes)}:${pad(seconds)}.${pad(ms, 3)}`;
}

/** @param {string|number} time @returns {string} in the zone chosen, YYYY-MM-DD */
export function day(time) {
  const [year, month, date] = fields(typeof time === 'number' ? new Date(time) : toDate(time));
  return `${year}-${pad(month)}-${pad(date)}`;
}

/** @param {number} at @returns {string} HH:MM:SS; with the day when that is not today */
export function clockOf(at) {
  if (Number.isNaN(at)) return 'an unknown time';
  const time = clock(at).slice(0, 8);
  return day(at) === day(Date.now()) ? time : `${day(at)} ${time}`;
}

/** @param {number} ms @returns {string} a length of time in the unit that fits */
export function spanText(ms) {
  if (!(ms >= 0)) return 'some time';
  if (ms < 1_000) return 'under 1 s';
  if (ms < 10_000) return `${(ms / 1_000).toFixed(1)} s`;
  if (ms < 90_000) return `${Math.round(ms / 1_000)} s`;
  if (ms < 90 * 60_000) return `${Math.round(ms / 60_000)} min`;
  return ms < 36 * 3_600_000 ? `${Math.round(ms / 3_600_000)} h` : `${Math.round(ms / 86_400_000)} days`;
}

/** @param {string} id @returns {string} 64 hex digits cut to Docker's customary 12; anything else unchanged */
export function shortId(id) {
  const bare = String(id).replace(/^sha256:/, '');
  return /^[0-9a-f]{64}$/.test(bare) ? bare.slice(0, 12) : printable(String(id));
}

// Control characters, what turns the direction of writing, and what cannot be seen.
const UNSEEN = /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]/g;

/** @param {string} text @returns {string} with nothing in it that a reader could not see */
export const printable = (text) =>
  text.replace(UNSEEN, (char) => (char === '\n' ? '\\n' : char === '\t' ? '\\t' : `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`));

/** A long name without its middle, as its ends tell most. @param {string} name @param {number} most characters @returns {string} */
export const shortened = (name, most) => (name.length <= most ? name : `${name.slice(0, Math.ceil((most - 1) / 2))}…${name.slice(name.length - Math.floor((most - 1) / 2))}`);

/** @param {string} text of several lines @returns {string} as JSON may write the same: nothing in it that cannot be seen */
export const visible = (text) => text.split('\n').map(printable).join('\n');

/** @param {DockerEvent} event @returns {boolean} a command in a container: three events for each */
function isExec(event) {
  return event.Type === 'container' && /^exec_(create|start|die)\b/.test(event.Action ?? '');
}

/** By what it means, not by its name: an end that was asked for is nothing to worry about. @param {LogRecord} record @param {End} [end] @returns {Severity} */
export function severity(record, { why } = NOBODY_KNOWS) {
  const { event } = record;
  const action = event.Action ?? '';
  const exit = event.Actor?.Attributes?.exitCode;
  if (record.broken) return 'warn';
  if (event.Type === 'recorder' && !record.foreign) {
    if (action === 'gap' || action === 'disconnect' || action === 'clock') return 'warn';
    return action === 'observed' && exit && exit !== '0' ? 'warn' : 'plain';
  }
  if (event.Type !== 'container') return 'plain';
  if (action === 'oom' || (action === 'die' && why === 'oom')) return 'oom';
  // 143: it ended itself when it was asked to, also when the question is not in sight.
  if (action === 'die' && why === 'deaf') return 'warn';
  if (action === 'die') return exit === '0' || exit === undefined || exit === '143' || why === 'asked' || why === 'killed' ? 'plain' : 'bad';
  if (action === 'health_status: unhealthy') return 'warn';
  return isExec(event) ? 'quiet' : 'plain';
}

/** Docker puts the command of an exec after the action: `exec_create: sh -c …`. */
function splitAction(/** @type {string} */ action) {
  const match = /^(exec_\w+): ?(.*)$/s.exec(action);
  return match ? { word: match[1], command: match[2] } : { word: action, command: '' };
}

/**
 * What tells this event from its neighbours, most telling first.
 * @param {LogRecord} record @param {string} command @param {End} end
 */
function detailParts({ event, cut, foreign, broken }, command, end) {
  const a = event.Actor?.Attributes ?? {};
  const parts = [];
  if (broken) parts.push('this record cannot be read by a browser; open it for its text');
  if (cut) parts.push(`cut: only the head is kept of ${count(Number(cut.bytes))} bytes`);
  if (foreign) parts.push('sent by Docker, not by the recorder');
  // A narrow column cuts the end, and this is what a death is judged by.
  if (end.why && event.Action === 'die') parts.push(endWords(end));
  if (a.exitCode !== undefined) parts.push(`exit ${exitWords(a.exitCode)}`);
  if (a.signal) parts.push(`signal ${signalName(a.signal)}`);
  if (event.Type === 'recorder') parts.push(...recorderParts(event.Action ?? '', a));
  if (command) parts.push(command);
  if (a.execDuration) parts.push(`ran ${a.execDuration} s`);
  if (a.oldName) parts.push(`was ${a.oldName}`);
  if (a.container && event.Type !== 'recorder') parts.push(`container ${shortId(a.container)}`);
  if (a.destination) parts.push(`at ${a.destination}`);
  const project = a['com.docker.compose.project'];
  const service = a['com.docker.compose.service'];
  if (project) parts.push(service ? `${project}/${service}` : project);
  if (a.image) parts.push(shortId(a.image));
  if (a.driver) parts.push(a.driver);
  return parts.map(String);
}

/** @param {string} action @param {Record<string, string>} a */
function recorderParts(action, a) {
  const parts = [];
  if (action === 'observed') {
    const is = a.state ?? '';
    if (a.was && is) parts.push(`was ${a.was} → is ${is}`);
    else if (is) parts.push(`is ${is}`);
    return parts;
  }
  if (action === 'clock' && a.from && a.to) return [`the clock was set from ${clock(a.from)} to ${clock(a.to)}`];
  for (const key of ['reason', 'lost', 'overlap', 'replayed', 'state', 'version', 'engine']) {
    if (a[key] !== undefined) parts.push(`${key} ${a[key]}`);
  }
  if (action === 'baseline') {
    for (const [key, value] of Object.entries(a)) if (/^\d+$/.test(value)) parts.push(`${value} ${key}`);
  }
  if (a.from && a.until) parts.push(`${clock(a.from)} … ${clock(a.until)}`);
  if (a.from && a.to) parts.push(`${day(a.from)} ${clock(a.from)} → ${day(a.to)} ${clock(a.to)}`);
  return parts;
}

/** @param {LogRecord} record @param {End} [end] @returns {Description} */
export function describe(record, end = NOBODY_KNOWS) {
  const event = record.event ?? {};
  const { word, command } = splitAction(String(event.Action ?? ''));
  const attributes = event.Actor?.Attributes ?? {};
  return {
    clock: clock(record.time),
    time: record.time,
    seq: String(record.seq),
    host: printable(String(record.source ?? '')),
    type: printable(String(event.Type ?? '')),
    action: printable(word),
    name: printable(String(attributes.name || shortId(event.Actor?.ID ?? ''))),
    details: printable(detailParts({ ...record, event }, command, end).join(' · ')),
    severity: severity({ ...record, event }, end),
  };
}

/** @param {string} iso @returns {string} day, time, and offset from UTC in the zone chosen; as it is where that is no time */
export function fullTime(iso) {
  const at = millis(String(iso));
  if (Number.isNaN(at)) return printable(String(iso));
  return `${day(at)} ${clock(at)} ${offsetText(new Date(at))}`;
}
