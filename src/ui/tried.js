// What people tried, and whether it helped: what fails again after it was in vain. Pure.

import { sequenceOf } from './cursor.js';
import { millis } from './timespan.js';

/** @typedef {import('./incident-words.js').Incident} Incident */
/** @typedef {{record: string, time: string, what: string, changes?: import('./incident-words.js').Change[], effect: string}} Tried `effect`: empty where none can be told */

/** A stop so long before a start, in milliseconds, is a part of the same restart. */
const RESTART_MS = 30_000;
/** What a stop becomes with what came next. @type {Record<string, string>} */
const AFTER_STOP = { restart: 'restart', start: 'stopped and started', recreate: 'stopped and re-created' };
/** @type {Record<string, string>} */
const NAMES = { recreate: 're-created' };
const STARTS = new Set(['restart', 'start', 'recreate']);

/** @param {Incident} incident @returns {Tried[]} */
export function triedOf(incident) {
  const { actions } = incident;
  return actions.flatMap((act, n) => {
    const [before, next] = [actions[n - 1], actions[n + 1]];
    const isPart = (/** @type {typeof act|undefined} */ stop, /** @type {typeof act|undefined} */ start) =>
      stop?.what === 'stop' && start !== undefined && start.what in AFTER_STOP && millis(start.time) - millis(stop.time) <= RESTART_MS;
    if (isPart(act, next)) return [];
    return [{ ...act, what: isPart(before, act) ? AFTER_STOP[act.what] : NAMES[act.what] ?? act.what, effect: effectOf(incident, act) }];
  });
}

/** @param {Incident} incident @param {Incident['actions'][0]} act @returns {string} */
function effectOf({ start, failures = [], timeline = [], state, resolution }, { record, what, time }) {
  // Before it broke there was nothing to mend.
  if (millis(time) < millis(start)) return '';
  const at = sequenceOf(record);
  const isBad = (/** @type {import('./incident-words.js').Step} */ step) => ['failure', 'oom'].includes(step.what) || (step.what === 'health' && /became unhealthy/.test(step.text));
  const failed = [...failures, ...timeline.filter(isBad)].map((each) => sequenceOf(each.record ?? ''));
  if (failed.some((seq) => seq > at)) return 'no effect';
  if (state !== 'closed' || !STARTS.has(what) || !['restarted', 'redeployed'].includes(resolution ?? '')) return '';
  const health = timeline.findLast((step) => ['health', 'failure', 'oom'].includes(step.what) && sequenceOf(step.record ?? '') < at);
  return health && /became healthy/.test(health.text) ? 'it was healthy just before' : 'helped';
}
