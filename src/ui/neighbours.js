// What was made again near an incident by others on its host: it is no cause, and worth knowing. Pure.

import { laneOf } from './spans.js';
import { millis } from './timespan.js';

/** @typedef {import('./incident-words.js').Incident} Incident */
/** @typedef {{key: string, at: number, record: string, text: string}} Deploy */

/** So far back, in milliseconds, the fold looks for a deploy of its own; so long it is told of others. */
export const LOOKS_BACK_MS = 10 * 60_000;
/** Deploys that are told: those nearest to the beginning. */
export const MAX_TOLD = 5;
/** Containers that are named of those that ran on. */
export const MAX_RAN_ON = 8;

/** @param {string[]} names of containers @returns {string} */
export function someOf(names) {
  const rest = names.length - MAX_RAN_ON;
  return names.length === 0 ? 'no other container' : `${names.slice(0, MAX_RAN_ON).join(', ')}${rest > 0 ? ` and ${rest} more` : ''}`;
}

/** @param {Incident} incident @param {any[]} lanes as the API has them @returns {Deploy[]} rising */
export function deploysNear({ start, end, source, subjects }, lanes) {
  const began = millis(start);
  const until = end ? millis(end) : Number.POSITIVE_INFINITY;
  const own = new Set(subjects.map(({ key }) => key));
  const all = lanes.filter((lane) => lane.source === source && lane.role === 'service' && !own.has(lane.key))
    .flatMap((lane) => laneOf(lane).events.map((event) => ({ ...event, key: lane.key })))
    .filter(({ kind, at }) => kind === 'C' && at >= began - LOOKS_BACK_MS && at <= until);
  all.sort((a, b) => Math.abs(a.at - began) - Math.abs(b.at - began));
  return all.slice(0, MAX_TOLD).sort((a, b) => a.at - b.at).map(({ key, at, record, text }) => ({ key, at, record, text }));
}
