// What the page shows, as its address holds it: a link reproduces the view. Times in it are absolute, in UTC.

import { millis, toRange } from './timespan.js';

/**
 * @typedef {object} View
 * @property {''|'incidents'|'events'|'hosts'} v  what the page is on; empty for what fits
 * @property {string} q       the text of the filter box
 * @property {boolean} range  stored records instead of the live stream
 * @property {string} since   RFC 3339 or empty
 * @property {string} until   RFC 3339 or empty
 * @property {string} sel     a part of the range that is chosen, `FROM,TO`, or empty
 * @property {boolean} noise  whether health checks are shown
 * @property {string} i       id of an incident to open; empty for none
 * @property {string} record  id of a record to open; empty for none
 */

/** Parts of an address that are texts, in the order in which they are written. */
const TEXTS = /** @type {const} */ (['q', 'since', 'until', 'sel', 'i', 'record']);

/** @param {string} search @returns {View} */
export function readView(search) {
  const query = new URLSearchParams(search);
  const [q, since, until, sel, i, record] = TEXTS.map((name) => query.get(name) ?? '');
  const v = query.get('v');
  return {
    v: v === 'incidents' || v === 'events' || v === 'hosts' ? v : '',
    q,
    range: query.has('range') || since !== '' || until !== '' || record !== '',
    since,
    until,
    sel: bounds(sel) ? sel : '',
    noise: query.has('noise'),
    i,
    record,
  };
}

/** @param {View} view @returns {string} the query of an address */
export function viewAddress(view) {
  const query = new URLSearchParams();
  if (view.v) query.set('v', view.v);
  for (const name of TEXTS) if (view[name]) query.set(name, view[name]);
  if (view.range && !view.since && !view.until) query.set('range', 'all');
  if (view.noise) query.set('noise', '1');
  const text = query.toString();
  return text ? `?${text}` : location.pathname;
}

/** What somebody wrote into the address by hand, like `since=15m`, as it has to be there. @param {View} view @returns {{view: View, error: string|null}} */
export function settled(view) {
  const { since, until, error } = toRange(view.since, view.until);
  return error === null ? { view: { ...view, since, until }, error } : { view, error };
}

/** Whether it counts from now, as `15m` and `today` do, so that it has to be known when that is. @param {View} view */
export const isRelative = ({ since, until }) => [since, until].some((text) => text !== '' && !/^\d{4}-|^\d{9}/.test(text));

/** @param {string} sel @returns {{since: string, until: string}|null} */
export function bounds(sel) {
  const [since = '', until = ''] = sel.split(',');
  return millis(since) < millis(until) ? { since, until } : null;
}

/** Whether the incident that is named is what the page shows. @param {View} view */
export const isOnIncident = ({ v, i }) => i !== '' && v !== 'events' && v !== 'hosts';

/** What a page is about; one that has room for one thing only shows a range's incidents. @param {View} view @param {boolean} [isNarrow] @returns {'incidents'|'events'|'hosts'} */
export function tabOf({ v, q, range, record, i }, isNarrow = true) {
  return v || (i || !(q || (isNarrow ? record : range)) ? 'incidents' : 'events');
}

/**
 * The range before or after the one that is shown.
 * @param {View} view @param {1|-1} step @param {number} now of the server
 * @returns {{since: string, until: string}|null} null where the range has no beginning
 */
export function shifted({ range, since, until }, step, now) {
  const to = until ? millis(until) : now;
  const from = since ? millis(since) : range ? Number.NaN : to - DAY_MS;
  if (Number.isNaN(from)) return null;
  const by = step * (to - from);
  const iso = (/** @type {number} */ ms) => new Date(ms).toISOString();
  return { since: iso(from + by), until: iso(to + by) };
}

/** How far back a live page speaks of incidents and gaps. */
export const DAY_MS = 24 * 3_600_000;

/** Before and after a record, in milliseconds. */
const AROUND_MS = 60_000;
/** @param {number} at milliseconds since 1970 @returns {{since: string, until: string}} what lies around that */
export const around = (at) => ({ since: new Date(at - AROUND_MS).toISOString(), until: new Date(at + AROUND_MS).toISOString() });
