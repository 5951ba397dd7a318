// One incident in a sentence of its own, as its page begins. Pure.

import { count, printable } from './format.js';
import { isRolledBack, plain, sentenceParts } from './incident-words.js';

/** @typedef {import('./incident-words.js').Incident} Incident */
/** @typedef {import('./incident-words.js').Change} Change */

/** @param {string[]} names @returns {string} `a, b and c` */
export const listText = (names) => (names.length < 2 ? names.join('') : `${names.slice(0, -1).join(', ')} and ${names.at(-1)}`);

/** What happened without what came of it. @param {string} title */
export const shortTitle = (title) => plain(title).split(/; | after (?!it was told)|, not by /)[0];

/** What can be seen of a change tells more than that something was made again. @template {{kind: string, changes?: Change[]}} T @param {T[]} changes @returns {T[]} */
export const byWeight = (changes) => [...changes].sort((a, b) => Number(isVague(a)) - Number(isVague(b)));
const isVague = (/** @type {{kind: string, changes?: Change[]}} */ { kind, changes }) => kind === 'deploy' && !changes?.length;

/** Of many that fail at once it is told whether the daemon took them along. @param {Incident} incident */
export const isDaemonUp = ({ kind, title }) => kind === 'mass' && title.includes('the daemon was not restarted');

const ENDS = /** @type {Record<string, string>} */ ({ restarted: ', until it was restarted', redeployed: ', until it was re-created', stopped: ', and was stopped', removed: ', and was removed' });
/** The same of several. */
const ENDS_OF_MANY = /** @type {Record<string, string>} */ ({ restarted: ', until they were restarted', redeployed: ', until they were re-created', stopped: ', and were stopped', removed: ', and were removed' });

/** @param {Incident} incident @returns {string} one sentence with a verb */
export function headline(incident) {
  const { kind, subject, subjects, cause, state, resolution, down } = incident;
  const fact = sentenceParts(incident).fact.replace(/: exit.*$/, '');
  const lower = fact.slice(0, 1).toLowerCase() + fact.slice(1);
  let text = kind !== 'mass' && subject && plain(incident.title).startsWith(printable(subject)) ? `${printable(subject)} ${lower}` : fact;
  const changed = kind === 'host' ? undefined : byWeight(cause).find(({ kind: each }) => ['deploy', 'network', 'volume', 'update'].includes(each));
  if (changed) text += ` after ${changed.kind !== 'deploy' ? plain(changed.text) : changed.changes?.length ? 'a deploy' : 'it was re-created'}`;
  else if (kind !== 'host' && cause.some(({ kind: each }) => each === 'created')) text += ' after it was newly created';
  if (isDaemonUp(incident)) text += ' while the daemon ran on';
  // Of a whole host the sentence says it all.
  const isOfMany = kind === 'mass' || kind === 'host';
  if (state !== 'closed' && down && !isOfMany) text += ' and is down';
  const others = isOfMany ? [] : subjects.filter(({ role }) => role !== 'root').map(({ key }) => printable(key.slice(key.lastIndexOf('/') + 1)));
  if (others.length) text += `; then ${others.length > 3 ? `${count(others.length)} more` : listText(others)} failed`;
  if (state === 'closed') text += resolution === 'redeployed' && isRolledBack(incident) ? ', until it was rolled back' : endOf(incident, others.length > 0);
  return `${text}.`;
}

/** @param {Incident} incident @param {boolean} hasOthers @returns {string} */
function endOf({ kind, resolution }, hasOthers) {
  if (kind === 'host') return '';
  // What comes and goes may have been well when it was done.
  if (kind === 'unhealthy' && resolution === 'restarted') return hasOthers ? ', and were restarted' : ', and was restarted';
  return (kind === 'mass' || hasOthers ? ENDS_OF_MANY : ENDS)[resolution ?? ''] ?? '';
}
