// What a filter leaves of the lanes. They follow what names hosts, projects, services and containers; what is about single
// records they cannot follow, and that is said. Pure.

import { count } from './format.js';
import { termText } from './filter.js';

/** @typedef {import('./spans.js').Lane} Lane */
/** @typedef {import('./filter.js').Term} Term */

/** Keys that name a lane. */
const NAMES = ['source', 'project', 'service', 'container'];

/** What a lane has for a key. @param {Lane} lane @param {string} key @returns {(string|null)[]} */
function valuesOf({ key, source, project, role, containers }, of) {
  if (of === 'source') return [source];
  if (role === 'host') return [];
  const name = key.slice((project?.length ?? -1) + 1);
  if (of === 'project') return [project];
  return of === 'service' ? [name] : [key, key.replace('/', '_'), key.replace('/', '-'), name, ...containers];
}

/** Ids are as long as somebody typed them. @param {Lane} lane @param {Term} term */
function fits(lane, { key, value }) {
  const wanted = value.replace(/\*$/, '');
  return valuesOf(lane, key).some((has) => has?.startsWith(wanted) || (key === 'container' && has?.length === 12 && wanted.startsWith(has)));
}

/**
 * @param {Lane[]} lanes @param {Term[]} terms
 * @returns {{lanes: Lane[], hidden: number, beside: string[]}} `hidden`: lanes that the filter hides; `beside`: terms that lanes do not follow
 */
export function filtered(lanes, terms) {
  const named = terms.filter(({ key }) => NAMES.includes(key));
  const asked = (/** @type {string} */ key) => named.filter((term) => term.key === key && !term.exclude);
  const left = lanes.filter((lane) => {
    const keys = lane.role === 'host' ? ['source'] : NAMES;
    return keys.every((key) => asked(key).length === 0 || asked(key).some((term) => fits(lane, term))) && !named.some((term) => term.exclude && fits(lane, term));
  });
  const all = lanes.filter(({ role }) => role !== 'host').length;
  return { lanes: left, hidden: all - left.filter(({ role }) => role !== 'host').length, beside: terms.filter(({ key }) => !NAMES.includes(key)).map(termText) };
}

/** What the filter hides of the charts, in a sentence. @param {string} q @param {number} shown @param {number} hidden @param {string[]} beside @returns {string} */
export function hiddenText(q, shown, hidden, beside) {
  if (q === '') return '';
  const parts = ['bars count only what matches'];
  if (hidden > 0) parts.push(`${count(hidden)} of ${count(shown + hidden)} lanes ${hidden === 1 ? 'is' : 'are'} hidden`);
  if (beside.length > 0) parts.push(`lanes and incidents do not go by ${beside.join(' ')}, which is about single records`);
  return `Filtered: ${parts.join('; ')}.`;
}
