// Exit codes, signals and ends in words. Pure.

/** @type {Record<string, string>} */
const SIGNALS = { 1: 'HUP', 2: 'INT', 3: 'QUIT', 4: 'ILL', 6: 'ABRT', 7: 'BUS', 8: 'FPE', 9: 'KILL', 10: 'USR1', 11: 'SEGV', 12: 'USR2', 13: 'PIPE', 14: 'ALRM', 15: 'TERM' };
/** What shells and Docker itself mean by a code. @type {Record<string, string>} */
const CODES = { 125: 'Docker could not run it', 126: 'its command cannot be run', 127: 'its command was not found' };

/** @template T @param {Record<string, T>} table @param {string} key @returns {T|undefined} without what every object has */
export const own = (table, key) => (Object.hasOwn(table, key) ? table[key] : undefined);

/** @param {string} signal a number or a name @returns {string} like `15 SIGTERM` */
export function signalName(signal) {
  const text = String(signal);
  const name = own(SIGNALS, text);
  return name ? `${text} SIG${name}` : text;
}

/** @param {string} code @returns {string} like `137: killed by SIGKILL` */
export function exitWords(code) {
  const text = String(code);
  const signal = own(SIGNALS, String(Number(text) - 128));
  const what = signal ? `${Number(text) === 143 ? 'ended' : 'killed'} by SIG${signal}` : own(CODES, text) ?? '';
  return what ? `${text}: ${what}` : text;
}

/** So that a reader tells at once which one did not obey, and which was only replaced. @param {import('./cause.js').End} end @returns {string} what became of it; empty where nobody knows */
export function endWords({ why, waited = 0, by }) {
  const replaced = by !== undefined ? `replaced by ${by || 'another one'}` : '';
  if (why === 'asked' || why === 'killed') return replaced || (why === 'asked' ? 'stopped as asked' : 'killed as asked');
  return [why === 'deaf' ? deafWords(waited) : { oom: 'out of memory', outside: 'killed from outside Docker, or by itself', '': '' }[why], replaced].filter(Boolean).join('; ');
}

/** @param {number} waited milliseconds */
export const deafWords = (waited) => `did not stop in ${waited < 950 ? 'under 1' : Math.round(waited / 1_000)} s and was killed`;
