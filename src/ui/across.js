// The same trouble on several hosts in one row: the server says which incidents that are. Pure.

import { printable } from './format.js';

/**
 * @typedef {import('./incident-words.js').Incident} Incident
 * @typedef {NonNullable<Incident['across']>} Across
 */

/** Hosts that a row names; of more the number is told. */
const MAX_NAMED = 3;

/** Lets each incident know its group. @param {Incident[]} incidents @param {Across[]} groups as an answer has them */
export function join(incidents, groups) {
  const byId = new Map(incidents.map((incident) => [incident.id, incident]));
  for (const group of groups) {
    for (const id of group.incidents) {
      const incident = byId.get(id);
      if (incident) incident.across = group;
    }
  }
}

/**
 * One incident for each group: the first that is there, as bad and as open as the worst of them.
 * @param {Incident[]} incidents @returns {Incident[]} the others as they are
 */
export function folded(incidents) {
  const there = new Set(incidents.map(({ id }) => id));
  return incidents.flatMap((incident) => {
    const { across, id } = incident;
    const of = across?.incidents.filter((each) => there.has(each)) ?? [];
    if (!across || of.length < 2) return [incident];
    const { severity, state, end } = across;
    return id === of[0] ? [{ ...incident, severity, state, end }] : [];
  });
}

/** @param {Incident} incident @returns {string} empty where it is on one host */
export function hostsText({ across }) {
  if (!across) return '';
  const named = across.sources.slice(0, MAX_NAMED).map(printable).join(', ');
  const more = across.sources.length - MAX_NAMED;
  return `on ${across.sources.length} hosts: ${named}${more > 0 ? ` and ${more} more` : ''}`;
}
