// What the page says of the log as a whole: whose it is, and where it can be taken along.

import { ask, textOf } from './answers.js';
import { address } from './base.js';
import { clockOf } from './format.js';
import { hostsHeard } from './header.js';
import { fetchPart } from './history.js';
import { serverClock } from './serverclock.js';
import { millis } from './timespan.js';
import { zoneName } from './zone.js';

/** Whose log it is that is only read, and until when it goes: there its clock stands, too. @param {Iterable<string>} known hosts @returns {Promise<string>} */
export async function aboutStored(known) {
  const [{ items, log }, counts] = await Promise.all([fetchPart({ order: 'desc', limit: '1' }), ask('api/v1/histogram', { bins: '1' })]);
  const { begins, until } = JSON.parse(await textOf(counts));
  serverClock.end = millis(until);
  for (const { source } of items) if (source) hostsHeard.add(source);
  const names = [...new Set([...known, ...items.map(({ source }) => source)])].filter(Boolean);
  const span = items[0] && begins ? `, ${clockOf(millis(begins))} to ${clockOf(items[0].at)} (${zoneName()})` : ', empty';
  return `It is of ${names.join(', ') || 'no host'}${span}. Its id: ${log.id.slice(0, 8)}.`;
}

/** @param {Record<string, string>} query filter and range of the view */
export function showExports(query) {
  for (const link of document.querySelectorAll('.exports a')) {
    const { dataset } = /** @type {HTMLAnchorElement} */ (link);
    const format = { format: 'jsonl', compression: dataset.compression ?? 'none' };
    /** @type {HTMLAnchorElement} */ (link).href = address('api/v1/export', { ...format, ...query });
  }
}
