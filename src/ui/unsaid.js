// What Docker's events do not say: why a container failed. Then that is said at once, with what they do say. Pure.

import { exitWords } from './exits.js';
import { count } from './format.js';
import { lengthText, isCauseUnsaid } from './incident-words.js';
import { LOOKS_BACK_MS } from './neighbours.js';
import { millis } from './timespan.js';

/** @typedef {import('./incident-words.js').Incident} Incident */

/** Codes that are told; of more, those that came most often. */
const MAX_CODES = 3;
/** A program's own codes go up to here. */
const OWN_CODES = 124;

/** @param {string} code @param {number} n @param {boolean} ofSeveral */
function codeText(code, n, ofSeveral) {
  const times = ofSeveral ? ` (${count(n)}×)` : '';
  if (code === '137') return `exit 137${times}: SIGKILL, and Docker neither was asked to kill it nor told of a lack of memory; so it was killed from outside Docker, or by itself`;
  const words = `exit ${exitWords(code)}${times}`;
  return Number(code) > 0 && Number(code) <= OWN_CODES ? `${words}: an error code of its own program` : words;
}

/**
 * @param {Incident} incident @param {{recorded: number, words: number|null}} known `recorded`: since when; `words`: records of what it printed last, null while nobody knows
 * @returns {string[]} what the events do say; empty where they say why
 */
export function whatIsSaid(incident, { recorded, words }) {
  if (!isCauseUnsaid(incident)) return [];
  const { counts, cause, start, containers } = incident;
  const codes = Object.entries(counts.exit).sort((a, b) => b[1] - a[1]).slice(0, MAX_CODES);
  const said = codes.map(([code, n]) => codeText(code, n, codes.length > 1));
  if (cause.some(({ kind }) => kind === 'unknown')) said.push('its exit code is not known');
  if (counts.unhealthy > 0) said.push(`its health check failed${counts.unhealthy > 1 ? ` (${count(counts.unhealthy)}×)` : ''}`);
  const known = millis(start) - recorded;
  said.push(`nothing of its own was changed in the ${lengthText(Math.min(LOOKS_BACK_MS, known > 0 ? known : LOOKS_BACK_MS))} before`);
  if (words !== null) said.push(words > 0 ? 'what it printed last is below, beside its end' : `what it printed last is not recorded: docker logs ${containers.at(-1) ?? ''} on its host may say more`);
  return said;
}
