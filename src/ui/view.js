// What the page shows, as its address holds it: a link reproduces the view. Times in it are absolute, in UTC.

import { toRange } from './timespan.js';

/**
 * @typedef {object} View
 * @property {string} q       the text of the filter box
 * @property {boolean} range  stored records instead of the live stream
 * @property {string} since   RFC 3339 or empty
 * @property {string} until   RFC 3339 or empty
 * @property {boolean} noise  whether health checks are shown
 * @property {string} record  id of a record to open; empty for none
 */

/** @param {string} search @returns {View} */
export function readView(search) {
  const query = new URLSearchParams(search);
  const since = query.get('since') ?? '';
  const until = query.get('until') ?? '';
  const record = query.get('record') ?? '';
  return {
    q: query.get('q') ?? '',
    range: query.has('range') || since !== '' || until !== '' || record !== '',
    since,
    until,
    noise: query.has('noise'),
    record,
  };
}

/** @param {View} view @returns {string} the query of an address */
export function viewAddress({ q, range, since, until, noise, record }) {
  const query = new URLSearchParams();
  if (q) query.set('q', q);
  if (since) query.set('since', since);
  if (until) query.set('until', until);
  if (range && !since && !until) query.set('range', 'all');
  if (noise) query.set('noise', '1');
  if (record) query.set('record', record);
  const text = query.toString();
  return text ? `?${text}` : location.pathname;
}

/** What somebody wrote into the address by hand, like `since=15m`, as it has to be there. @param {View} view @returns {{view: View, error: string|null}} */
export function settled(view) {
  const { since, until, error } = toRange(view.since, view.until);
  return error === null ? { view: { ...view, since, until }, error } : { view, error };
}
