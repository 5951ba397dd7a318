// What an incident rests on: the state before and after, its records, what was printed before a death, what people tried,
// and where events may be missing.

import { AnswerError, ask, textOf } from './answers.js';
import { h } from './dom.js';
import { endWords, own, signalName } from './exits.js';
import { clock, clockOf, describe, fullTime, printable, shortId, visible } from './format.js';
import { gapText, isBeginning, meets } from './gaps.js';
import { Held } from './held.js';
import { fetchGaps, fetchPart } from './history.js';
import { filtersOf, plain, spanOf } from './incident-words.js';
import { LOOKS_BACK_MS, deploysNear, someOf } from './neighbours.js';
import { isMarker } from './rows.js';
import { parseRecord } from './items.js';
import { millis } from './timespan.js';
import { markOf, shortNames } from './timeline.js';
import { triedOf } from './tried.js';

/**
 * @typedef {import('./incident-words.js').Incident} Incident
 * @typedef {import('./rows.js').RecordItem} RecordItem
 * @typedef {{key: string, id: string, name: string, state: string, exit: number|null, health: string|null, next_start: string|null}} Container
 * @typedef {object} Found  null: not asked, or no answer
 * @property {Container[]|null} before  @property {Container[]|null} after  @property {Container[]|null} during  where many failed at once: right after that
 * @property {number} at  of the state before  @property {number} then  of the state after; NaN: now
 * @property {RecordItem[]|null} items  @property {boolean} more
 * @property {RecordItem[]} words  what was printed before deaths
 * @property {RecordItem[]} gaps
 * @property {import('./neighbours.js').Deploy[]} deploys  of others
 * @property {boolean} isWhole  false where asking again may give more
 */

/** Records that are shown; of more, a link leads to all. */
export const MAX_RECORDS = 60;
export const MAX_WORDS = 20;
/** Services whose states are compared. */
export const MAX_STATES = 12;
/** Last words come after their death; so do those of the last one. */
const AFTER_MS = 60_000;
/** A log whose newest time is older is not live. */
const STALE_MS = 60_000;
const BEFORE_MS = 1_000;
/** So long after many failed at once it is seen who ran on. */
const SETTLED_MS = 5_000;
/** Events of a container that tell nothing of an incident. */
const TELLS_NOTHING = ['exec_*', 'attach', 'resize', 'top', 'archive-path'];

const isOfMany = (/** @type {Incident} */ { kind }) => kind === 'mass' || kind === 'host';
const iso = (/** @type {number} */ ms) => new Date(ms).toISOString();

/** @param {Incident} incident @param {number} now @param {AbortSignal} signal @returns {Promise<Found>} */
export async function gatherEvidence(incident, now, signal) {
  const { from, until } = spanOf(incident, now);
  const at = from - 1;
  const range = { since: iso(from - BEFORE_MS), until: iso(until + BEFORE_MS) };
  const isOver = incident.state === 'closed';
  // A notice has no end of its own: what came of it stands last in its timeline.
  const last = incident.severity === 'notice' ? millis(incident.timeline?.at(-1)?.time ?? '') : Number.NaN;
  const then = Math.min(now, (last > until ? last : until) + BEFORE_MS);
  let isWhole = true;
  /** @template T @param {Promise<T>} work @returns {Promise<T|null>} */
  const orNull = async (work) => {
    try {
      return await work;
    } catch (error) {
      if (!(error instanceof AnswerError)) throw error;
      isWhole &&= error.isFinal;
      return null;
    }
  };
  const [before, after, during, part, words, gaps, lanes] = await Promise.all([
    orNull(stateAt(iso(at), signal)),
    orNull(stateAt(isOver ? iso(then) : Date.now() - now > STALE_MS ? iso(now) : '', signal)),
    isOfMany(incident) ? orNull(stateAt(iso(Math.min(now, millis(incident.start) + SETTLED_MS)), signal)) : null,
    orNull(fetchPart({
      ...range, filters: filtersOf(incident), exclude: JSON.stringify({ event: TELLS_NOTHING, noise: ['healthcheck'] }), order: 'asc', limit: String(MAX_RECORDS),
    }, signal)),
    orNull(fetchPart({ since: range.since, until: iso(until + AFTER_MS), filters: JSON.stringify({ type: ['recorder'], event: ['last-words'] }), order: 'desc', limit: String(MAX_WORDS) }, signal)),
    orNull(fetchGaps(range, signal)),
    orNull(lanesOf({ since: iso(millis(incident.start) - LOOKS_BACK_MS), until: range.until }, signal)),
  ]);
  const mine = new Set(incident.containers);
  return {
    before, after, during, at, then: isOver ? then : Number.NaN,
    isWhole,
    items: part?.items ?? null,
    more: part?.more ?? false,
    deploys: deploysNear(incident, lanes ?? []),
    words: (words?.items ?? []).filter(({ line }) => mine.has(String(parseRecord(line).event.Actor?.ID).slice(0, 12))),
    gaps: (gaps ?? []).filter(({ gap }) => gap && !isBeginning(gap) && meets(gap, from, until)),
  };
}

/** @param {string} at @param {AbortSignal} signal @returns {Promise<Container[]>} */
async function stateAt(at, signal) {
  const { containers, qualified } = JSON.parse(await textOf(await ask('api/v1/state', at ? { at } : {}, signal)));
  // Without a full look at a host nobody knows what else was there.
  return Object.assign(containers, { unseen: qualified.flatMap((text) => /^(.*): no full look /.exec(text)?.[1] ?? []) });
}

/** @param {Record<string, string>} range @param {AbortSignal} signal @returns {Promise<any[]>} */
async function lanesOf(range, signal) {
  return JSON.parse(await textOf(await ask('api/v1/lifelines', range, signal))).lanes;
}

/** @param {Container|undefined} container @param {boolean} isSeen whether what is not told was not there */
function stateWords(container, isSeen) {
  if (!container) return isSeen ? 'not there' : 'not known';
  const { state, exit, health, next_start: next } = container;
  const words = state === 'restarting' ? 'waits to be started' : state === 'exited' ? 'ended' : state;
  const more = state !== 'running' && exit !== null ? `, exit ${exit}` : state === 'running' && health && health !== 'none' ? `, ${health}` : '';
  return `${words}${more}${next ? `; next start about ${clock(next).slice(0, 8)}` : ''}`;
}

/** @param {Incident} incident @param {Found|null} found null while it is on its way: then with room for what comes @returns {(Node|null)[]|null} */
function stateTable(incident, found) {
  const name = shortNames(incident);
  const { before, after, at, then } = found ?? { before: [], after: [], at: millis(incident.start), then: Number.NaN };
  if (!before || !after) return null;
  const mine = new Set(incident.containers);
  const keys = [...new Set([...incident.subjects.map(({ key }) => key).filter((key) => key !== incident.source), ...[...before, ...after].filter(({ id }) => mine.has(id.slice(0, 12))).map(({ key }) => key)])].slice(0, MAX_STATES);
  const rows = keys.map((key) => {
    const [was, is] = [before, after].map((all) => (found ? stateWords(all.findLast((each) => each.key === key), !(/** @type {any} */ (all).unseen?.includes(incident.source))) : '…'));
    return h('tr', {}, h('th', { scope: 'row' }, name(key)), h('td', {}, was), h('td', {}, was === is ? is : h('b', {}, is)));
  });
  const heads = ['service', `before, ${clock(at).slice(0, 8)}`, incident.state !== 'closed' ? 'now' : then > 0 ? `after, ${clock(then).slice(0, 8)}` : 'after'];
  return [h('table.states', {}, h('thead', {}, h('tr', {}, heads.map((head) => h('th', { scope: 'col' }, head)))), h('tbody', {}, rows)), ranOn(incident, found)];
}

/** Where many failed at once it matters who did not. @param {Incident} incident @param {Found|null} found @returns {Node|null} */
function ranOn(incident, found) {
  if (!isOfMany(incident) || (found && !found.during)) return null;
  const { containers } = incident;
  const runs = (/** @type {Container} */ { id, state }) => state === 'running' && !containers.includes(id.slice(0, 12));
  const is = new Set((found?.during ?? []).filter(runs).map(({ id }) => id));
  const names = (found?.before ?? []).filter((each) => runs(each) && is.has(each.id)).map(({ key }) => printable(key));
  return h('p', {}, `Ran on: ${found ? someOf(names) : '…'}.`);
}

/** @param {RecordItem} item */
function wordsNode({ line }) {
  const a = parseRecord(line).event.Actor?.Attributes ?? {};
  const head = a.why ? `What it printed is not known, or not all of it: ${printable(a.why)}` : a.lines === '0' ? 'It printed nothing.' : 'Its last words';
  return h('div.words', {}, h('p', {}, head), a.text && h('pre', { tabIndex: 0 }, visible(a.text)));
}

/** The record of a death says when; so do its last words. @param {RecordItem[]} words @returns {Map<string, RecordItem>} by container and time */
function byDeath(words) {
  return new Map(words.map((item) => {
    const { Actor } = parseRecord(item.line).event;
    return [`${Actor?.ID} ${millis(Actor?.Attributes?.died ?? '')}`, item];
  }));
}

/** @param {import('./format.js').LogRecord} record @param {import('./cause.js').End} end @returns {string} in as few words as a row has room for */
function shortWords({ event }, end) {
  const a = event.Actor?.Attributes ?? {};
  const [word, ...rest] = String(event.Action ?? '').split(': ');
  const words = own({
    die: `${endWords(end) || 'ended'}${a.exitCode === undefined ? '' : `, exit ${a.exitCode}`}`,
    start: 'started', kill: `was sent signal ${signalName(a.signal ?? '')}`, stop: 'was stopped', restart: 'was restarted', destroy: 'was removed', create: `was made from ${shortId(a.image ?? '')}`,
    rename: `was renamed from ${String(a.oldName ?? '').replace(/^\//, '')}`, oom: 'ran out of memory', health_status: `is ${rest.join(': ')}`, pause: 'was paused', unpause: 'goes on', update: 'was updated',
  }, word);
  return printable(words ?? word);
}

/** @param {Incident} incident @param {Found} found @param {import('./diff.js').RecordLink} link */
function recordRows(incident, { items, words }, link) {
  const held = new Held();
  held.append(items ?? []);
  const deaths = byDeath(words);
  return held.shown.flatMap((item) => {
    if (isMarker(item)) return [];
    const record = parseRecord(item.line);
    const { action, name: whole, details, severity } = describe(record, item.end);
    const a = record.event.Actor?.Attributes ?? {};
    const name = printable(a['com.docker.compose.service'] ?? whole);
    const what = severity === 'bad' ? 'failure' : severity === 'oom' ? 'oom' : item.end.why === 'deaf' ? 'deaf' : severity === 'warn' ? 'health' : ['asked', 'killed'].includes(item.end.why) ? 'stop' : action === 'create' ? 'change' : '';
    const last = action === 'die' ? deaths.get(`${record.event.Actor?.ID} ${item.at}`) : undefined;
    return [h('li', { data: { severity } }, h('time', { dateTime: record.time, title: fullTime(record.time) }, clock(record.time).slice(0, 8), h('span.ms', {}, clock(record.time).slice(8))), markOf(what),
      h('b.name', { title: whole }, name), h('span.act', { title: details }, shortWords(record, item.end)), link(record.id, `#${record.seq}`, `record ${record.id}`),
      last && wordsNode(last))];
  });
}

/** @param {Incident} incident @param {import('./diff.js').RecordLink} link */
function triedNodes(incident, link) {
  const tried = triedOf(incident);
  if (tried.length === 0) return [h('p.soft', {}, incident.state === 'closed' ? 'From its first failure to its end nothing was done to it through Docker’s API.' : 'Since its first failure nothing was done to it through Docker’s API.')];
  const rows = tried.map(({ record, time, what, changes, effect }) => h('li', {}, link(record, clock(time).slice(0, 8), `record ${record}`), ' ', printable(what), effect && h('b', {}, `, ${effect}`),
    changes?.length ? h('span.soft', {}, `: ${changes.filter((each) => each.what !== 'config-hash').map((each) => plain(`${each.what} ${each.from ?? '–'} -> ${each.to ?? '–'}`)).join('; ')}`) : ''));
  return [h('ul.tried', {}, rows), h('p.soft', {}, 'Events do not tell by whom.')];
}

/**
 * @param {Incident} incident @param {Found|null} found @param {import('./diff.js').RecordLink} link
 * @param {string} all address of all its events @param {Node[]} more what stands before the records
 * @returns {Node}
 */
export function evidenceOf(incident, found, link, all, more) {
  const strayed = found && found.words.length > 0 && found.items?.length === 0 ? found.words.map(wordsNode) : [];
  const gaps = found?.gaps ?? [];
  const none = !found ? '…' : incident.confidence === 'complete' ? 'None: nothing is missing between its first and its last record, as far as the log knows.' : 'None is recorded in its time.';
  return h('div', {}, stateTable(incident, found), strayed,
    h('h4', {}, 'What people tried'), triedNodes(incident, link),
    h('h4', {}, 'Gaps'), gaps.length === 0 ? h('p.soft', {}, none) : h('ul.tried', {}, gaps.map((item) => h('li', {}, link(item.id, clockOf(item.at), 'the record of the gap'), ` ${item.gap ? gapText(item.gap) : ''}`))),
    // Last, so that nothing moves when they come.
    more, h('h4', {}, 'Records'), found?.items ? [
      h('ol.records', {}, recordRows(incident, found, link)),
      h('p', {}, h('a', { href: all, data: { act: 'events' } }, found.more ? 'All records' : 'In the event list'), h('span.soft', {}, found.more ? ` · the first ${found.items.length} are shown` : '', ' · probes and commands are left out')),
    ] : h('p.soft', {}, found?.isWhole ? 'not loaded' : 'loading…'));
}
