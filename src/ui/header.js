// What the header and the lines above the list say: the connection, what this page has missed, and what the recorder may
// have missed, each in one place.

import { write as writeTo } from './dom.js';
import { clockOf, count, printable } from './format.js';
import { isBeginning, lossText } from './gaps.js';
import { serverClock } from './serverclock.js';
import { proofText, rangeText, stateText } from './status.js';
import { forInput } from './timespan.js';
import { isUtc, offsetText, zoneName } from './zone.js';

/** @typedef {import('./session.js').LiveSession|import('./session.js').RangeSession|import('./replay.js').ReplaySession} Session */

/**
 * @typedef {object} Shown
 * @property {Session|null} session
 * @property {import('./view.js').View} view
 * @property {import('./session.js').SessionState} state
 * @property {import('./stored.js').Notice|null} notice
 * @property {string|null} lastId
 */

/** The source of the recorder's own records; it is no Docker host. */
const RECORDER = 'shipslog';
/** Hosts of the log that this page has heard of. @type {Set<string>} */
export const hostsHeard = new Set();

const el = (/** @type {string} */ id) => /** @type {any} */ (document.getElementById(id));
const write = (/** @type {string} */ id, /** @type {string} */ text) => writeTo(el(id), text);

/** @param {import('./list.js').EventList} list @param {Shown} shown */
export function showProgress(list, shown) {
  const { session, state, notice, lastId } = shown;
  const { following, unseen, records, whole } = list.state;
  const isLive = session?.kind === 'live';
  const fresh = unseen + (session?.kind === 'live' ? session.beyond : 0);
  const isPaused = isLive && !following;
  write('state-text', stateText(state, { paused: isPaused, unseen: fresh, refused: state === 'closed' && notice?.kind === 'refused', stored: serverClock.isStopped ? clockOf(serverClock.end) : '', known: serverClock.isKnown }));
  write('go-live', serverClock.isStopped ? 'Last day' : 'Live');
  showLog(list.held.sources);
  el('state').dataset.stored = String(serverClock.isStopped);
  el('state').dataset.paused = String(isPaused && state === 'live');
  el('resume').hidden = following || !isLive || state === 'connecting';
  write('resume', serverClock.isStopped ? 'to the newest' : fresh > 0 ? `${count(fresh)} new · resume` : 'paused · resume');
  showNotice(shown, records, whole);
  showLosses(shown);
  if (session === null || session.kind === 'range') {
    write('last-id', list.held.newest?.id ?? '–');
    write('proof', session === null || notice ? '' : rangeText(records, whole));
    el('proof').dataset.level = 'whole';
    return;
  }
  write('last-id', session.continuity.lastId ?? lastId ?? '–');
  const { text, level } = serverClock.isStopped && session.kind === 'live' ? { text: '', level: 'whole' } : proofText(session.continuity, session.startedAt, state);
  write('proof', text);
  el('proof').dataset.level = level;
}

/** The log by the names of its hosts: an id says nothing to people. @param {Iterable<string>} sources */
function showLog(sources) {
  for (const name of sources) if (name && name !== RECORDER) hostsHeard.add(name);
  const names = [...hostsHeard].sort();
  write('log-name', names.length === 0 ? '' : names.length < 3 ? `log of ${names.map(printable).join(' and ')}` : `log of ${count(names.length)} hosts`);
  el('log-name').title = names.map(printable).join(', ');
}

/** Loading, failed, refused, and empty are four states; each is said in one place, and only while it is so. @param {Shown} shown @param {number} records @param {boolean} whole */
function showNotice({ session, view, state, notice }, records, whole) {
  const before = { loading: '', failed: 'Not loaded: ', login: 'Not loaded: ', refused: '' };
  const after = { loading: '', failed: '. It is asked again.', login: '. Reload this page.', refused: '' };
  el('notice').hidden = notice === null;
  el('notice').dataset.kind = notice?.kind ?? '';
  write('notice', notice === null ? '' : `${before[notice.kind]}${notice.text}${after[notice.kind]}`);
  const isAsked = session?.kind === 'range' || state === 'live' || state === 'ended';
  el('empty').hidden = !(notice === null && records === 0 && whole && isAsked);
  const matches = view.q ? ` that matches ${view.q}` : '';
  write('empty', view.range ? `Nothing recorded in this range${matches}.` : serverClock.isStopped ? view.q ? `No record of this log matches ${view.q}.` : 'This log is empty.' : `Nothing recorded yet${matches}. New events appear here by themselves.`);
}

/** What the recorder may have missed, apart from what this page has. @param {Shown} shown */
function showLosses({ session, view }) {
  const gaps = session === null || session.kind === 'replay' ? null : session.stored.gaps;
  el('losses').hidden = gaps === null;
  if (gaps === null) return;
  const items = [...gaps.values()].sort((a, b) => a.seq - b.seq);
  const known = items.flatMap(({ gap }) => (gap ? [gap] : []));
  // The banner of a stored log says when it begins.
  const { text, level } = lossText(serverClock.isStopped ? known.filter((gap) => !isBeginning(gap)) : known, view.range ? 'in this range' : serverClock.isStopped ? 'in its last 24 h' : 'in 24 h');
  write('losses', text);
  el('losses').dataset.level = level;
  el('losses').dataset.id = items.findLast(({ gap }) => level === 'whole' || gap?.reason !== 'first-contact')?.id ?? '';
}

/** What is asked for, as it is typed, and the zone of all times. @param {import('./view.js').View} view */
export function showInputs({ q, since, until, range }) {
  el('filter').value = q;
  el('since').value = forInput(since);
  el('until').value = forInput(until);
  el('go-live').setAttribute('aria-pressed', String(!range));
  const offset = offsetText(new Date());
  // Where both are the same there is nothing to switch.
  el('zone').disabled = !isUtc() && offset === 'Z';
  write('zone', isUtc() ? 'times in UTC · local' : offset === 'Z' ? 'times in UTC' : `times in ${zoneName()} (UTC${offset}) · UTC`);
}

const recordsText = (/** @type {number} */ n) => `${count(n)} ${n === 1 ? 'record' : 'records'}`;

/** How many records are held, and how many of them are probes. @param {number} records @param {number} noise @param {import('./view.js').View} view */
export function showCounts(records, noise, { noise: isShown }) {
  write('counts', `${recordsText(records)} here`);
  write('noise', `health checks: ${recordsText(noise)} ${isShown ? 'shown · fold' : 'folded · show'}`);
  el('noise').setAttribute('aria-pressed', String(isShown));
  // Its place is kept, so that nothing moves when the first probe comes.
  el('noise').style.visibility = noise > 0 || isShown ? '' : 'hidden';
}
