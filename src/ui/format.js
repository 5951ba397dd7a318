// Turns one record into the texts and the severity that a row shows. Pure: no DOM, no state.

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
 * @property {boolean} [foreign] a daemon's own message of type `recorder`
 * @property {DockerEvent} event
 *
 * @typedef {'bad'|'warn'|'good'|'plain'|'quiet'} Severity
 *
 * @typedef {object} Description
 * @property {string} clock  @property {string} time  @property {string} seq
 * @property {string} type  @property {string} action  @property {string} name
 * @property {string} details  @property {Severity} severity
 */

/** @type {Record<string, string>} */
const SIGNALS = { 1: 'HUP', 2: 'INT', 3: 'QUIT', 6: 'ABRT', 9: 'KILL', 10: 'USR1', 11: 'SEGV', 12: 'USR2', 15: 'TERM' };
const counts = new Intl.NumberFormat('en');

/** @param {number} n @returns {string} 12345 as `12,345` */
export const count = (n) => counts.format(n);

/**
 * `new Date` reads milliseconds only, and some engines refuse nine digits of fraction.
 * @param {string} iso @returns {Date}
 */
export const toDate = (iso) => new Date(iso.replace(/(\.\d{3})\d+/, '$1'));

const pad = (/** @type {number} */ n, width = 2) => String(n).padStart(width, '0');

/** @param {string} iso @returns {string} local time, HH:MM:SS.mmm */
export function clock(iso) {
  const at = toDate(iso);
  if (Number.isNaN(at.getTime())) return iso;
  return `${pad(at.getHours())}:${pad(at.getMinutes())}:${pad(at.getSeconds())}.${pad(at.getMilliseconds(), 3)}`;
}

/** @param {string} iso @returns {string} local day, YYYY-MM-DD */
export function day(iso) {
  const at = toDate(iso);
  return `${at.getFullYear()}-${pad(at.getMonth() + 1)}-${pad(at.getDate())}`;
}

/** @param {string} id @returns {string} 64 hex digits cut to Docker's customary 12; anything else unchanged */
export function shortId(id) {
  const bare = id.replace(/^sha256:/, '');
  return /^[0-9a-f]{64}$/.test(bare) ? bare.slice(0, 12) : id;
}

/** @param {DockerEvent} event @returns {boolean} a command in a container: three events for each */
function isExec(event) {
  return event.Type === 'container' && /^exec_(create|start|die)\b/.test(event.Action ?? '');
}

/** @param {DockerEvent} event @param {boolean} [foreign] @returns {Severity} */
export function severity(event, foreign = false) {
  const action = event.Action ?? '';
  const exit = event.Actor?.Attributes?.exitCode;
  if (event.Type === 'recorder' && !foreign) {
    if (action === 'gap' || action === 'disconnect') return 'warn';
    if (action === 'observed') return exit && exit !== '0' ? 'warn' : 'plain';
    return action === 'stop' ? 'plain' : 'good';
  }
  if (action === 'die') return exit === '0' ? 'plain' : 'bad';
  if (action === 'oom' || action === 'kill') return 'bad';
  if (action === 'health_status: unhealthy') return 'warn';
  if (action === 'start' || action === 'unpause' || action === 'health_status: healthy') return 'good';
  return isExec(event) ? 'quiet' : 'plain';
}

/** Docker puts the command of an exec behind the action: `exec_create: sh -c …`. */
function splitAction(/** @type {string} */ action) {
  const match = /^(exec_\w+): ?(.*)$/s.exec(action);
  return match ? { word: match[1], command: match[2] } : { word: action, command: '' };
}

/**
 * What tells this event from its neighbours, most telling first.
 * @param {DockerEvent} event @param {string} command @param {boolean} foreign
 */
function detailParts(event, command, foreign) {
  const a = event.Actor?.Attributes ?? {};
  const parts = [];
  if (a.exitCode !== undefined) parts.push(`exit ${a.exitCode}`);
  if (a.signal) parts.push(`signal ${a.signal}${SIGNALS[a.signal] ? ` ${SIGNALS[a.signal]}` : ''}`);
  if (event.Type === 'recorder' && !foreign) parts.push(...recorderParts(a));
  if (command) parts.push(command);
  if (a.execDuration) parts.push(`ran ${a.execDuration} s`);
  if (a.oldName) parts.push(`was ${a.oldName}`);
  if (a.container) parts.push(`container ${shortId(a.container)}`);
  if (a.destination) parts.push(`at ${a.destination}`);
  const project = a['com.docker.compose.project'];
  const service = a['com.docker.compose.service'];
  if (project) parts.push(service ? `${project}/${service}` : project);
  if (a.image) parts.push(shortId(a.image));
  if (a.driver) parts.push(a.driver);
  return parts;
}

function recorderParts(/** @type {Record<string, string>} */ a) {
  const parts = [];
  for (const key of ['reason', 'lost', 'overlap', 'replayed', 'state', 'version', 'engine']) {
    if (a[key] !== undefined) parts.push(`${key} ${a[key]}`);
  }
  if (a.from && a.until) parts.push(`${clock(a.from)} … ${clock(a.until)}`);
  if (a.from && a.to) parts.push(`${day(a.from)} ${clock(a.from)} → ${day(a.to)} ${clock(a.to)}`);
  return parts;
}

/** @param {LogRecord} record @param {boolean} [ofSeveral] whether the Docker host has to be told @returns {Description} */
export function describe(record, ofSeveral = false) {
  const event = record.event ?? {};
  const foreign = record.foreign === true;
  const { word, command } = splitAction(event.Action ?? '');
  const attributes = event.Actor?.Attributes ?? {};
  return {
    clock: clock(record.time),
    time: record.time,
    seq: String(record.seq),
    type: event.Type ?? '',
    action: word,
    name: attributes.name || shortId(event.Actor?.ID ?? ''),
    details: [...(ofSeveral ? [`on ${record.source}`] : []), ...detailParts(event, command, foreign)].join(' · '),
    severity: severity(event, foreign),
  };
}

/** @param {string} id @returns {number} the sequence in a cursor */
export const sequenceOf = (id) => Number(id.slice(id.lastIndexOf('-') + 1));

/** @param {string} log a log's whole id @param {number} seq @returns {string} */
export const cursorOf = (log, seq) => `${log.slice(0, 8)}-${seq}`;
