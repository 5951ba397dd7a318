// The ways out of the page: addresses of reports and exports, and the present view as commands. Pure but for the addresses.

import { BASE, address } from './base.js';
import { parseFilter, filterQuery } from './filter.js';
import { filtersOf, rangeOf, spanOf } from './incident-words.js';

/** @typedef {import('./incident-words.js').Incident} Incident */
/** @typedef {{name: string, url: string}} LinkOut  a template of the configuration's */

const AROUND_MS = 60_000;
const iso = (/** @type {number} */ ms) => new Date(ms).toISOString();

/** A word of a shell. @param {string} text */
export const quoted = (text) => (/^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`);

/** @param {string} id @param {string} format */
export const reportAddress = (id, format) => address(`api/v1/incidents/${encodeURIComponent(id)}/report`, { format });

/** @param {Incident} incident @param {number} now */
export const evidenceAddress = (incident, now) => address('api/v1/export', { format: 'jsonl', trailer: '1', ...rangeOf(incident, now), filters: filtersOf(incident) });

/** The incident as commands. @param {Incident} incident @param {number} now @returns {[string, string][]} what each is for, and the command */
export function incidentCommands(incident, now) {
  return [
    ['this incident as JSON', `curl -s ${quoted(address(`api/v1/incidents/${incident.id}`))}`],
    ['its report', `shipslog report ${incident.id} --url ${quoted(base())} --format markdown`],
    ['its records', `curl -s ${quoted(evidenceAddress(incident, now))}`],
    ...hostCommands(incident),
  ];
}

/** What to ask its Docker host, newest container first. @param {Incident} incident @returns {[string, string][]} */
export const hostCommands = ({ containers, source }) => [...new Set(containers)].reverse().slice(0, 2).map((id) => [`on the host ${source}`, `docker logs --tail 50 --timestamps ${id}`]);

/** The event list as commands. @param {{q: string, since: string, until: string}} view @returns {[string, string][]} */
export function viewCommands({ q, since, until }) {
  const parsed = parseFilter(q);
  const range = { ...(since && { since }), ...(until && { until }) };
  const flags = Object.entries(range).map(([key, value]) => ` --${key} ${quoted(value)}`).join('');
  const terms = parsed.terms.map(({ key, value, exclude }) => ` ${exclude ? '-x' : '-f'} ${quoted(`${key}=${value}`)}`).join('');
  return [
    ['these records', `curl -s ${quoted(address('api/v1/events', { ...range, ...filterQuery(parsed) }))}`],
    ['the same', `shipslog query --url ${quoted(base())}${flags}${terms}`],
    ['incidents of this range', `shipslog incidents --url ${quoted(base())}${flags}`],
  ];
}

const base = () => BASE.replace(/\/$/, '');

/**
 * Addresses of other programs at a container and a time. A template without a scheme of the web is none.
 * @param {LinkOut[]} links @param {Incident} incident @param {number} now @param {string} name of the container
 * @returns {LinkOut[]}
 */
export function linksOut(links, incident, now, name) {
  const { from, until } = spanOf(incident, now);
  const [project, service] = incident.subject.includes('/') ? incident.subject.split('/') : ['', incident.subject];
  /** @type {Record<string, string>} */
  const values = {
    container: name, id: incident.containers[0] ?? '', subject: incident.subject, project, service, host: incident.source,
    since: iso(from - AROUND_MS), until: iso(until + AROUND_MS), since_ms: String(from - AROUND_MS), until_ms: String(until + AROUND_MS),
  };
  return links.filter(({ url }) => /^https?:\/\//.test(url)).map(({ name: title, url }) => ({ name: title, url: url.replace(/\{(\w+)\}/g, (whole, key) => (Object.hasOwn(values, key) ? encodeURIComponent(values[key]) : whole)) }));
}
