// The filter box: `type=container event=die -event=exec_* label="com.x=a b"` to and from Docker's filters JSON.

/**
 * @typedef {{key: string, value: string, exclude: boolean}} Term
 * @typedef {Record<string, string[]>} Filters
 * @typedef {{terms: Term[], filters: Filters, exclude: Filters, error: string|null}} ParsedFilter
 */

/** Docker's own keys, and those that the server has besides; it refuses any other. */
export const KEYS = [
  'config', 'container', 'daemon', 'event', 'exit', 'image', 'label', 'network', 'node', 'noise',
  'plugin', 'project', 'scope', 'secret', 'service', 'source', 'text', 'type', 'volume',
];
/** What stands before the value of `exit` that means every other code. */
const OTHER_THAN = '!=';
/** @type {Record<string, string>} */
const MEANT = { action: 'event', name: 'container', id: 'container', host: 'source', status: 'event', exitcode: 'exit' };

// One term is anything but blanks, where a quoted part may hold blanks.
const WORD = /(?:[^\s"]|"(?:[^"\\]|\\.)*"?)+/g;
const QUOTED = /"((?:[^"\\]|\\.)*)"/g;

/** @param {string} word @returns {Term|string} the term, or what is wrong with it */
function parseTerm(word) {
  const exclude = word.startsWith('-');
  const body = exclude ? word.slice(1) : word;
  if ((body.replace(/\\./g, '').split('"').length - 1) % 2 === 1) return `“${word}”: the quote is not closed`;
  const plain = (/** @type {string} */ text) => text.replace(QUOTED, (_, inner) => inner.replace(/\\(.)/g, '$1'));
  const equals = body.indexOf('=');
  // A word alone is looked for in whatever is shown.
  if ((equals === -1 || body.startsWith('"')) && plain(body) !== '') return { key: 'text', value: plain(body), exclude };
  if (equals < 1) return `“${word}” is not key=value, for example container=api`;
  const isOther = body.startsWith(`exit${OTHER_THAN}`);
  const key = isOther ? 'exit' : body.slice(0, equals).toLowerCase();
  const value = (isOther ? OTHER_THAN : '') + plain(body.slice(equals + 1));
  if (!KEYS.includes(key)) {
    const meant = Object.hasOwn(MEANT, key) ? MEANT[key] : null;
    return `unknown key “${key}”; ${meant ? `did you mean ${meant}=${value}?` : `known: ${KEYS.join(', ')}`}`;
  }
  if (value === '' || value === OTHER_THAN) return `“${word}” has no value after the =`;
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
  if (key === 'exit' && value.startsWith(OTHER_THAN)) return `${exclude ? '-' : ''}exit${value}`;
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
