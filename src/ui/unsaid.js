// What Docker's events do not say: why a container failed. Then that is said at once, with what they do say. Pure.

import { OWN_CODES, remadeBefore } from './diff.js';
import { exitWords } from './exits.js';
import { count } from './format.js';
import { lengthText, isCauseUnsaid } from './incident-words.js';
import { LOOKS_BACK_MS } from './neighbours.js';
import { millis } from './timespan.js';

/** @typedef {import('./incident-words.js').Incident} Incident */

/** Codes that are told. */
const MAX_CODES = 3;

/** @param {string} code */
function codeText(code) {
  if (code === '137') return `exit 137: SIGKILL, and Docker neither was asked to kill it nor told of a lack of memory; so it was killed from outside Docker, or by itself`;
  const words = `exit ${exitWords(code)}`;
  return Number(code) > 0 && Number(code) <= OWN_CODES ? `${words}: an error code of its own program` : words;
}

/**
 * @param {Incident} incident @param {{recorded: number, words: number|null}} known `recorded`: since when; `words`: records of what it printed last, null while nobody knows
 * @returns {string[]} what the events do say; empty where they say why
 */
export function whatIsSaid(incident, { recorded, words }) {
  if (!isCauseUnsaid(incident)) return [];
  const { counts, cause, start, containers, resolution } = incident;
  // Of several that failed those of the first one.
  const codes = [...new Set(cause.flatMap(({ text }) => /^exit (\d+)\b/.exec(text)?.[1] ?? []))].slice(0, MAX_CODES);
  const said = codes.map(codeText);
  if (cause.some(({ kind }) => kind === 'unknown')) said.push('its exit code is not known');
  if (cause.some(({ kind }) => kind === 'health')) said.push(`its health check failed${counts.unhealthy > 1 ? ` (${count(counts.unhealthy)}×)` : ''}`);
  const known = millis(start) - recorded;
  said.push(remadeBefore(incident) ? 'it was made again shortly before, and what it had been like is not recorded' : `nothing of its own was changed in the ${lengthText(Math.min(LOOKS_BACK_MS, known > 0 ? known : LOOKS_BACK_MS))} before`);
  if (words !== null) said.push(words > 0 ? 'what it printed last is below, beside its end'
    : resolution === 'removed' ? 'what it printed last is not recorded, and went with its container' : `what it printed last is not recorded: docker logs ${containers.at(-1) ?? ''} on its host may say more`);
  return said;
}
