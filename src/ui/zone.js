// The zone in which times are shown and typed: that of the browser, or UTC. A choice of the reader's, not of a link.

const NOTE = 'shipslog-utc';
const pad = (/** @type {number} */ n, width = 2) => String(n).padStart(width, '0');

let utc = read();

function read() {
  try {
    return localStorage.getItem(NOTE) !== null;
  } catch {
    return false;
  }
}

export const isUtc = () => utc;

/** @param {boolean} next */
export function setUtc(next) {
  utc = next;
  try {
    if (next) localStorage.setItem(NOTE, '1');
    else localStorage.removeItem(NOTE);
  } catch {
    // Without storage the choice lasts as long as the page.
  }
}

/** @param {Date} at @returns {[number, number, number, number, number, number, number]} in the zone chosen */
export function fields(at) {
  return utc
    ? [at.getUTCFullYear(), at.getUTCMonth() + 1, at.getUTCDate(), at.getUTCHours(), at.getUTCMinutes(), at.getUTCSeconds(), at.getUTCMilliseconds()]
    : [at.getFullYear(), at.getMonth() + 1, at.getDate(), at.getHours(), at.getMinutes(), at.getSeconds(), at.getMilliseconds()];
}

/** @param {Date} at @returns {string} like `+01:00`, `Z` for none */
export function offsetText(at) {
  const minutes = utc ? 0 : -at.getTimezoneOffset();
  if (minutes === 0) return 'Z';
  const size = Math.abs(minutes);
  return `${minutes < 0 ? '-' : '+'}${pad(Math.floor(size / 60))}:${pad(size % 60)}`;
}

/** @returns {string} like `Europe/Berlin` */
export const zoneName = () => (utc ? 'UTC' : Intl.DateTimeFormat().resolvedOptions().timeZone || 'local time');

/**
 * The instant of a wall clock's time in the zone chosen; of a doubled hour the earlier.
 * @param {string} ymd @param {string} hms with or without seconds
 */
export function instantOf(ymd, hms) {
  const at = new Date(`${ymd}T${hms}${utc ? 'Z' : ''}`);
  if (utc || Number.isNaN(at.getTime())) return at;
  const [year, month, day] = ymd.split('-').map(Number);
  // A date that does not exist would slide into the next month.
  if (at.getFullYear() !== year || at.getMonth() + 1 !== month || Math.abs(at.getDate() - day) > 1) return new Date(Number.NaN);
  return at;
}
