// What a person types for a time, to what the API takes: one grammar, the same as on the command line. Whatever is
// relative is fixed to an instant here, so that all pages of one range mean the same moment, and so that a copied link
// shows the same records tomorrow. Instants are written in UTC: a wall clock shows some of them twice.

import { serverClock } from './serverclock.js';
import { fields, instantOf, offsetText } from './zone.js';

/** @type {Record<string, number>} */
const UNIT_MS = { s: 1e3, m: 6e4, h: 36e5, d: 864e5, w: 6048e5 };
const DURATION = /^(?:now)?-?((?:\d+(?:\.\d+)?[smhdw])+)$/;
const DATE = /^(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d)(:\d\d(?:\.\d+)?)?(Z|[+-]\d\d:\d\d)?)?$/i;
const TIME = /^([01]\d|2[0-3]):[0-5]\d(?::[0-5]\d(?:\.\d+)?)?$/;
const UNIX = /^\d{9,}(?:\.\d{1,9})?$/;

const pad = (/** @type {number} */ n) => String(n).padStart(2, '0');
const isoText = (/** @type {Date} */ date) => date.toISOString().replace('.000Z', 'Z');
const wholeSecond = (/** @type {number} */ ms) => isoText(new Date(Math.floor(ms / 1000) * 1000));

/** @param {string} text like `2h30m` @returns {number} milliseconds */
function durationMs(text) {
  let total = 0;
  for (const [, amount, unit] of text.matchAll(/(\d+(?:\.\d+)?)([smhdw])/g)) total += Number(amount) * UNIT_MS[unit];
  return total;
}

/** @param {number} now @param {number} back days @returns {string} YYYY-MM-DD in the zone chosen */
function dayOf(now, back = 0) {
  const [year, month, date] = fields(new Date(now));
  return new Date(Date.UTC(year, month - 1, date - back)).toISOString().slice(0, 10);
}

/** @param {string} ymd @param {string} hms @param {string|undefined} zone @returns {string|null} */
function dated(ymd, hms, zone) {
  // With a zone the text goes on as typed, nanoseconds and all.
  if (zone) return Number.isNaN(Date.parse(`${ymd}T${hms}${zone}`)) ? null : `${ymd}T${hms}${zone.toUpperCase()}`;
  const at = instantOf(ymd, hms);
  return Number.isNaN(at.getTime()) ? null : isoText(at);
}

/** @param {string} text @param {number} now @returns {string|null} */
function parse(text, now) {
  const duration = DURATION.exec(text);
  if (duration) {
    const at = now - durationMs(duration[1]);
    return Math.abs(at) < 8.64e15 ? wholeSecond(at) : null;
  }
  if (UNIX.test(text)) return text;
  if (text === 'today') return dated(dayOf(now), '00:00', undefined);
  if (text === 'yesterday') return dated(dayOf(now, 1), '00:00', undefined);
  if (TIME.test(text)) return dated(dayOf(now), text, undefined);
  const date = DATE.exec(text);
  if (!date) return null;
  const [, ymd, hm = '00:00', seconds = ':00', zone] = date;
  return dated(ymd, `${hm}${seconds}`, zone);
}

/**
 * @param {string} typed @param {number} [now] the server's
 * @returns {{value: string, error: string|null}} `value` is empty for "no bound"
 */
export function toInstant(typed, now = serverClock.now()) {
  const text = typed.trim();
  if (text === '' || text === 'now') return { value: '', error: null };
  const value = parse(text, now);
  return value === null
    ? { value: '', error: `“${text}” is no time: 10m, 2h30m, today, 02:00, 2026-11-22 03:10 or RFC 3339` }
    : { value, error: null };
}

/** @param {string} value as the API takes it @returns {number} milliseconds since 1970; NaN for none */
export function millis(value) {
  if (UNIX.test(value)) return Number(value) * 1000;
  return Date.parse(value.replace(/(\.\d{3})\d+/, '$1'));
}

/**
 * Both ends of a range.
 * @param {string} typedSince @param {string} typedUntil @param {number} [now]
 * @returns {{since: string, until: string, error: string|null}}
 */
export function toRange(typedSince, typedUntil, now = serverClock.now()) {
  const since = toInstant(typedSince, now);
  const until = toInstant(typedUntil, now);
  const reversed = millis(since.value) > millis(until.value) ? 'the range is empty: since lies after until' : null;
  return { since: since.value, until: until.value, error: since.error ?? until.error ?? reversed };
}

/**
 * @param {string} value a bound as the address holds it
 * @returns {string} the same for the input: wall clock time if that says it in full, else with its offset
 */
export function forInput(value) {
  if (!/^\d{4}-.*T\d\d:\d\d:\d\d(?:\.0+)?(?:Z|[+-]\d\d:\d\d)$/.test(value)) return value;
  const at = new Date(value);
  const [year, month, date, hours, minutes, seconds] = fields(at);
  const local = `${year}-${pad(month)}-${pad(date)} ${pad(hours)}:${pad(minutes)}:${pad(seconds)}`;
  // In the hour that a change of clocks repeats, the wall clock alone would lead to the other one.
  const means = toInstant(local).value;
  return millis(means) === at.getTime() ? local : `${local}${offsetText(at)}`;
}
