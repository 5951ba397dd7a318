// What the page shows, as its address holds it: a link reproduces the view. Times in it are absolute.

/**
 * @typedef {object} View
 * @property {string} q       the text of the filter box
 * @property {boolean} range  stored records instead of the live stream
 * @property {string} since   RFC 3339 or empty
 * @property {string} until   RFC 3339 or empty
 * @property {boolean} noise  whether health checks are shown
 */

/** @param {string} search @returns {View} */
export function readView(search) {
  const query = new URLSearchParams(search);
  const since = query.get('since') ?? '';
  const until = query.get('until') ?? '';
  return {
    q: query.get('q') ?? '',
    range: query.has('range') || since !== '' || until !== '',
    since,
    until,
    noise: query.has('noise'),
  };
}

/** @param {View} view @returns {string} path and query */
export function viewAddress({ q, range, since, until, noise }) {
  const query = new URLSearchParams();
  if (q) query.set('q', q);
  if (since) query.set('since', since);
  if (until) query.set('until', until);
  if (range && !since && !until) query.set('range', 'all');
  if (noise) query.set('noise', '1');
  const text = query.toString();
  return text ? `?${text}` : location.pathname;
}
