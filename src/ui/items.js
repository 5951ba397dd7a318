// From the line of a record to an item of the list: the few fields that sorting, folding and judging need, and the line.

import { gapOf } from './gaps.js';
import { millis } from './timespan.js';
import { fields } from './zone.js';

/** @typedef {import('./rows.js').Item} Item */
/** @typedef {import('./rows.js').RecordItem} RecordItem */

/** What says why a container ended, and whether somebody wanted it. */
const TELLING = new Set(['create', 'die', 'kill', 'oom', 'stop', 'start']);
/** A signal that asks for something else than an end: HUP, USR1, USR2. */
const NO_END = new Set(['1', '10', '12', 'SIGHUP', 'SIGUSR1', 'SIGUSR2', 'HUP', 'USR1', 'USR2']);

/** A record whose JSON a browser cannot read is shown by what can be seen of it. @param {string} line */
function unreadable(line) {
  const id = /^\{"id":"([0-9a-f]{8}-(\d+))"/.exec(line);
  const time = /"time":"([^"]+)"/.exec(line)?.[1] ?? '';
  return { id: id?.[1] ?? '', seq: Number(id?.[2] ?? 0), time, received: time, source: '', event: {}, broken: true };
}

/** @param {string} line @returns {import('./format.js').LogRecord & {broken?: boolean}} */
export function parseRecord(line) {
  try {
    const record = JSON.parse(line);
    return record?.event && typeof record.event === 'object' ? record : { ...record, event: {} };
  } catch {
    return unreadable(line);
  }
}

/** What the recorder says of itself is of no Docker host. @param {import('./format.js').LogRecord} record */
const isOfItself = ({ event, foreign }) => event.Type === 'recorder' && !foreign && ['start', 'stop', 'clock'].includes(event.Action ?? '');

/** @param {number} at milliseconds since 1970 @returns {number} the day in the zone chosen, YYYYMMDD; 0 for none */
export function dayNumber(at) {
  if (Number.isNaN(at)) return 0;
  const [year, month, day] = fields(new Date(at));
  return year * 10_000 + month * 100 + day;
}

const dayTexts = new Map();
/** @param {number} day @returns {string} */
export function dayText(day) {
  if (!dayTexts.has(day)) {
    const text = String(day).padStart(8, '0');
    dayTexts.set(day, `${text.slice(0, 4)}-${text.slice(4, 6)}-${text.slice(6)}`);
  }
  return dayTexts.get(day);
}

/** Whose place a container takes: its replica of a service, or its name. @param {Record<string, string>} a attributes @returns {string} */
function subjectOf(a) {
  const of = (/** @type {string} */ key) => a[`com.docker.compose.${key}`] ?? '';
  if (of('service') && of('oneoff') !== 'True') return `${of('project')}/${of('service')}/${of('container-number')}`;
  return a['com.docker.swarm.task.name']?.split('.').slice(0, 2).join('.') ?? a.name ?? '';
}

/** What is kept of a record for judging an end. @param {import('./format.js').DockerEvent} event @returns {import('./cause.js').Told} */
function toldOf({ Action = '', Actor }) {
  const a = Actor?.Attributes ?? {};
  const told = { action: Action, actor: Actor?.ID ?? '' };
  if (Action === 'kill') return { ...told, signal: a.signal };
  return Action === 'create' || Action === 'die' ? { ...told, code: a.exitCode, subject: subjectOf(a), image: a.image } : told;
}

/**
 * @param {string} line @param {import('./format.js').LogRecord} [record] the parsed line, if at hand
 * @returns {RecordItem}
 */
export function makeItem(line, record = parseRecord(line)) {
  const at = millis(String(record.time));
  const { event } = record;
  const isTelling = event.Type === 'container' && TELLING.has(event.Action ?? '') && !record.foreign;
  const isRequest = isTelling && (event.Action !== 'kill' || !NO_END.has(String(event.Actor?.Attributes?.signal)));
  return {
    id: record.id,
    seq: record.seq,
    at,
    day: dayNumber(at),
    source: isOfItself(record) ? '' : String(record.source ?? ''),
    noise: record.noise !== undefined,
    gap: gapOf(record),
    // Nothing for all records that do not tell of an end.
    told: isRequest ? toldOf(event) : null,
    end: { why: '' },
    line,
  };
}
