// What a person types for a time, to what the API takes. A duration is fixed to an instant here, so that all
// pages of one range mean the same moment, and so that a copied link shows the same records tomorrow.

/** @type {Record<string, number>} */
const UNIT_MS = { s: 1e3, m: 6e4, h: 36e5, d: 864e5, w: 6048e5 };
const DURATION = /^(?:\d+(?:\.\d+)?[smhdw])+$/;
const DATE = /^(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d)(:\d\d(?:\.\d+)?)?(Z|[+-]\d\d:\d\d)?)?$/i;
const UNIX = /^\d{9,}(?:\.\d{1,9})?$/;

const isoText = (/** @type {Date} */ date) => date.toISOString().replace('.000Z', 'Z');
const wholeSecond = (/** @type {number} */ ms) => isoText(new Date(Math.floor(ms / 1000) * 1000));

/** @param {string} text like `2h30m` @returns {number} milliseconds */
function durationMs(text) {
  let total = 0;
  for (const [, amount, unit] of text.matchAll(/(\d+(?:\.\d+)?)([smhdw])/g)) total += Number(amount) * UNIT_MS[unit];
  return total;
}

/**
 * @param {string} typed @param {number} [now]
 * @returns {{value: string, error: string|null}} `value` is empty for "no bound"
 */
export function toInstant(typed, now = Date.now()) {
  const text = typed.trim();
  if (text === '' || text === 'now') return { value: '', error: null };
  if (DURATION.test(text)) return { value: wholeSecond(now - durationMs(text)), error: null };
  if (UNIX.test(text)) return { value: text, error: null };
  const date = DATE.exec(text);
  if (date) {
    const [, ymd, hm = '00:00', seconds = ':00', zone] = date;
    // With a zone the text goes on as typed, nanoseconds and all; without one it is local time.
    if (zone) return { value: `${ymd}T${hm}${seconds}${zone.toUpperCase()}`, error: null };
    const local = new Date(`${ymd}T${hm}${seconds}`);
    if (!Number.isNaN(local.getTime())) return { value: isoText(local), error: null };
  }
  return { value: '', error: `“${text}” is no time: 10m, 2h30m, 7d, 2026-11-22 03:10 or RFC 3339` };
}

/**
 * @param {string} value a bound as the address holds it
 * @returns {string} the same for the input: local time if that says it in full, else as it is
 */
export function forInput(value) {
  if (!/T\d\d:\d\d:\d\dZ$/.test(value)) return value;
  const at = new Date(value);
  const local = new Date(at.getTime() - at.getTimezoneOffset() * 6e4).toISOString();
  return local.slice(0, 19).replace('T', ' ');
}
