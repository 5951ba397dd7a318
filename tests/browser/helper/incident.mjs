// Records of an incident that never was, for logs made by an import.

const LOG = '7f3c9a1e';
const iso = (/** @type {number} */ ms) => new Date(ms).toISOString().replace('Z', '000000Z');

/**
 * @param {number} seq @param {number} at milliseconds since 1970 @param {string} Type @param {string} Action
 * @param {Record<string, string>} [Attributes] @param {{id?: string, source?: string, marks?: any}} [more]
 */
export function record(seq, at, Type, Action, Attributes = {}, { id = 'a'.repeat(64), source = 'local', marks = {} } = {}) {
  const event = { Type, Action, Actor: { ID: id, Attributes }, scope: 'local', time: Math.floor(at / 1000), timeNano: 0 };
  return { id: `${LOG}-${seq}`, seq, time: iso(at), received: iso(at), source, ...marks, event };
}

/** The recorder's own. @param {number} seq @param {number} at @param {string} action @param {Record<string, string>} [attributes] @param {string} [source] */
export const own = (seq, at, action, attributes = {}, source = 'local') => record(seq, at, 'recorder', action, attributes, { id: source, source });

/** A gap. @param {number} seq @param {number} from @param {number} until @param {string} [reason] @param {string} [source] */
export const gap = (seq, from, until, reason = 'ring-overflow', source = 'local') =>
  own(seq, until, 'gap', { reason, from: iso(from), until: iso(until) }, source);

/** Started containers, `apart` milliseconds from each other. @param {number} count @param {number} from @param {number} [apart] @param {number} [first] */
export const starts = (count, from, apart = 1_000, first = 1) => Array.from({ length: count }, (_, n) =>
  record(first + n, from + n * apart, 'container', 'start', { name: `job-${first + n}` }, { id: String(first + n).padStart(64, '0') }));
