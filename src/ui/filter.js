// The filter box: `type=container event=die -event=exec_* label="com.x=a b"` to and from Docker's filters JSON.

/**
 * @typedef {{key: string, value: string, exclude: boolean}} Term
 * @typedef {Record<string, string[]>} Filters
 * @typedef {{terms: Term[], filters: Filters, exclude: Filters, error: string|null}} ParsedFilter
 */

/** Docker's own keys, `source` for the Docker host and `noise`; the server refuses any other. */
export const KEYS = [
  'config', 'container', 'daemon', 'event', 'image', 'label', 'network', 'node', 'noise',
  'plugin', 'scope', 'secret', 'service', 'source', 'type', 'volume',
];
/** @type {Record<string, string>} */
const MEANT = { action: 'event', name: 'container', id: 'container', host: 'source', status: 'event' };

// One term is anything but blanks, where a quoted part may hold blanks.
const WORD = /(?:[^\s"]|"(?:[^"\\]|\\.)*"?)+/g;
const QUOTED = /"((?:[^"\\]|\\.)*)"/g;

/** @param {string} word @returns {Term|string} the term, or what is wrong with it */
function parseTerm(word) {
  const exclude = word.startsWith('-');
  const body = exclude ? word.slice(1) : word;
  if ((body.replace(/\\./g, '').split('"').length - 1) % 2 === 1) return `“${word}”: the quote is not closed`;
  const equals = body.indexOf('=');
  if (equals < 1) return `“${word}” is not key=value, for example container=${body || 'api'}`;
  const key = body.slice(0, equals).toLowerCase();
  const value = body.slice(equals + 1).replace(QUOTED, (_, inner) => inner.replace(/\\(.)/g, '$1'));
  if (!KEYS.includes(key)) {
    const meant = Object.hasOwn(MEANT, key) ? MEANT[key] : null;
    return `unknown key “${key}”; ${meant ? `did you mean ${meant}=${value}?` : `known: ${KEYS.join(', ')}`}`;
  }
  if (value === '') return `“${word}” has no value after the =`;
  if (!exclude && value.endsWith('*')) return `“${word}”: a * works only in an exclusion, -${key}=${value}`;
  return { key, value, exclude };
}

/** @param {Term[]} terms @returns {Filters} */
function group(terms) {
  /** @type {Filters} */
  const grouped = {};
  for (const { key, value } of terms) (grouped[key] ??= []).push(value);
  return grouped;
}

/** @param {string} text @returns {ParsedFilter} */
export function parseFilter(text) {
  const terms = [];
  for (const [word] of text.matchAll(WORD)) {
    const term = parseTerm(word);
    if (typeof term === 'string') return { terms: [], filters: {}, exclude: {}, error: term };
    terms.push(term);
  }
  return {
    terms,
    filters: group(terms.filter((term) => !term.exclude)),
    exclude: group(terms.filter((term) => term.exclude)),
    error: null,
  };
}

/** @param {Term} term @returns {string} the term as it is typed */
export function termText({ key, value, exclude }) {
  const plain = /^[^\s"\\]+$/.test(value);
  return `${exclude ? '-' : ''}${key}=${plain ? value : `"${value.replace(/["\\]/g, '\\$&')}"`}`;
}

/**
 * The query parameters of a filter, the same on every route.
 * @param {ParsedFilter} parsed @returns {Record<string, string>}
 */
export function filterQuery({ filters, exclude }) {
  /** @type {Record<string, string>} */
  const query = {};
  if (Object.keys(filters).length) query.filters = JSON.stringify(filters);
  if (Object.keys(exclude).length) query.exclude = JSON.stringify(exclude);
  return query;
}
