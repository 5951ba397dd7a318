// The live page: connects the parts to each other. What each part does is in its own file.

import { aboutStored, showExports } from './about.js';
import { Banner } from './banner.js';
import { ChipBox } from './chips.js';
import { Drawer } from './drawer.js';
import { filterQuery, parseFilter, termText } from './filter.js';
import { count } from './format.js';
import { lossText } from './gaps.js';
import { watchHealth } from './health.js';
import { HostPicker, replaceTerm } from './hosts.js';
import { IncidentStrip } from './incidents.js';
import { bindKeys } from './keys.js';
import { EventList } from './list.js';
import { offerLogout } from './logout.js';
import { Rail } from './rail.js';
import { ReplaySession } from './replay.js';
import { ReplayBar } from './replaybar.js';
import { isMarker } from './rows.js';
import { LiveSession, RangeSession } from './session.js';
import { proofText, rangeText, stateText } from './status.js';
import { forInput, millis, toRange } from './timespan.js';
import { isOther, isOutdated, upgradeProblem } from './upgrade.js';
import { readView, settled, viewAddress } from './view.js';
import { isUtc, offsetText, setUtc, zoneName } from './zone.js';

const AROUND_MS = 60_000;
const el = (/** @type {string} */ id) => /** @type {any} */ (document.getElementById(id));

let view = readView(location.search);
/** @type {LiveSession|RangeSession|ReplaySession|null} */
let session = null;
/** What the view asks for: filter and range. @type {Record<string, string>} */
let asked = {};
/** @type {import('./session.js').SessionState} */
let state = 'connecting';
/** @type {string|null} */
let lastId = null;
let progressFrame = 0;
/** @type {import('./stored.js').Notice|null} */
let notice = null;
/** @type {import('./health.js').Problem[]} */
let problems = [];
/** @type {import('./health.js').Problem[]} */
let upgraded = [];

const list = new EventList(el('list'), {
  onChange: showListState,
  onOpen: (item) => drawer.open(item),
  onNeed: (end) => (session === null || session instanceof ReplaySession ? null : session.more(end)),
  onEdge: goToEdge,
});
const rail = new Rail(el('rail'), (time) => goTo({ time }));
const banner = new Banner(el('banner'));
const incidents = new IncidentStrip(el('incidents'));
const drawer = new Drawer(el('drawer'), {
  onFilter: (key, value) => applyFilter(replaceTerm(view.q, key, value)),
  onAround: ({ id, time }) => {
    const at = millis(time);
    const iso = (/** @type {number} */ ms) => new Date(ms).toISOString();
    changeView({ q: '', range: true, since: iso(at - AROUND_MS), until: iso(at + AROUND_MS), record: id });
  },
  linkTo: (id) => new URL(viewAddress({ ...view, q: '', range: true, since: '', until: '', record: id }), location.href).href,
  onClose: () => list.deselect(),
});
const chips = new ChipBox(el('chips'), (terms) => applyFilter(terms.map(termText).join(' ')));
const hosts = new HostPicker(el('hosts'), (host) => applyFilter(replaceTerm(view.q, 'source', host)));
const health = watchHealth({
  onProblems: (next) => {
    problems = next;
    showProblems();
  },
  onReady: ({ sources = [], page }) => {
    meetHosts(sources.map(({ name }) => name));
    if (isOther(page)) showProblems([upgradeProblem()]);
  },
  about: () => aboutStored(list.held.sources),
});
const handlers = {
  onItems,
  onReset: () => {
    list.clear();
    list.held.complete = { older: true, newer: true };
  },
  onState,
  onProgress: scheduleProgress,
  onNotice: (/** @type {import('./stored.js').Notice|null} */ next) => {
    notice = next;
    scheduleProgress();
  },
  onHello: async (/** @type {boolean} */ isResume) => {
    if (isResume && (await isOutdated())) showProblems([upgradeProblem()]);
  },
  onHost: health.hostIs,
};
const replay = () => /** @type {ReplaySession} */ (session);
const replayBar = new ReplayBar(el('replay'), {
  start: (speed) => {
    drawer.close();
    openSession(new ReplaySession(asked, speed, handlers));
    list.held.complete = { older: true, newer: true };
  },
  pause: () => replay().pause(),
  goOn: () => replay().open(),
  setSpeed: (speed) => {
    if (!(session instanceof ReplaySession)) return;
    session.setSpeed(speed);
    // The stream has the speed that it was opened with.
    if (state !== 'paused' && state !== 'ended' && state !== 'live') session.open();
  },
  stop: () => openView(),
});

/** Opens what `view` says; the only way a view starts. */
function openView() {
  session?.close();
  session = null;
  drawer.close();
  list.clear();
  notice = null;
  const range = settled(view);
  if (range.error === null && viewAddress(range.view) !== viewAddress(view)) history.replaceState(null, '', viewAddress(range.view));
  view = range.view;
  showInputs();
  const parsed = parseFilter(view.q);
  const error = parsed.error ?? range.error;
  showError(error);
  if (error !== null) {
    onState('closed');
    notice = { kind: 'refused', text: 'Nothing was asked for: see the message above.' };
    showProgress();
    return;
  }
  incidents.show(view);
  chips.show(parsed.terms);
  hosts.show(view.q);
  list.setFold(!view.noise);
  asked = { ...(view.since && { since: view.since }), ...(view.until && { until: view.until }), ...filterQuery(parsed) };
  showExports(asked);
  const target = view.record ? { id: view.record } : /** @type {const} */ ({ edge: 'newer' });
  openSession(view.range ? new RangeSession(asked, list, handlers, target) : new LiveSession(asked, list, handlers));
}

/** @param {LiveSession|RangeSession|ReplaySession} next */
async function openSession(next) {
  session?.close();
  list.clear();
  lastId = null;
  notice = null;
  rail.span(Number.NaN, Number.NaN);
  list.follow();
  session = next;
  const opened = session.open();
  showProgress();
  await opened;
  if (session !== next || !view.record || !(next instanceof RangeSession)) return;
  const item = list.held.shown.find((each) => !isMarker(each) && each.id === view.record);
  if (item && !isMarker(item)) drawer.open(item);
}

/** @param {Partial<import('./view.js').View>} change */
function changeView(change) {
  view = { ...view, record: '', ...change };
  history.pushState(null, '', viewAddress(view));
  openView();
}

/** @param {string} q */
function applyFilter(q) {
  const { error } = parseFilter(q);
  el('filter').value = q;
  showError(error);
  if (error === null) changeView({ q });
}

/** @param {string} typedSince @param {string} typedUntil */
function applyRange(typedSince, typedUntil) {
  const { since, until, error: rangeError } = toRange(typedSince, typedUntil);
  const error = rangeError ?? parseFilter(el('filter').value).error;
  showError(error);
  if (error === null) changeView({ q: el('filter').value.trim(), range: true, since, until });
}

/** @param {import('./stored.js').Target} target */
function goTo(target) {
  if (session === null || session instanceof ReplaySession) return;
  if ('time' in target) list.pause();
  session.goTo(target);
}

/** @param {import('./held.js').End} end */
function goToEdge(end) {
  if (end === 'newer' && list.held.complete.newer) list.follow();
  else if (end === 'older' && list.held.complete.older) list.show(0, { top: true });
  else goTo({ edge: end });
}

/** @param {import('./rows.js').Item[]} items */
function onItems(items) {
  list.append(items);
  const last = items.at(-1);
  if (last && !isMarker(last)) lastId = last.id;
  scheduleProgress();
}

/** @param {import('./session.js').SessionState} next */
function onState(next) {
  state = next;
  el('state').dataset.state = next;
  health.streamIs(next === 'live' ? 'up' : next === 'reconnecting' ? 'down' : 'unknown');
  replayBar.show(next, view.range && session !== null, session instanceof ReplaySession ? () => replay().time : null);
  scheduleProgress();
}

/** Records may come by the thousand; the header is written once a frame. */
function scheduleProgress() {
  progressFrame ||= requestAnimationFrame(() => {
    progressFrame = 0;
    showProgress();
  });
}

/** Written only when it changes, or a screen reader would speak it for each record. @param {string} id @param {string} text */
function write(id, text) {
  if (el(id).textContent !== text) el(id).textContent = text;
}

function showProgress() {
  const { following, unseen, records, whole } = list.state;
  const isLive = session instanceof LiveSession;
  const fresh = unseen + (session instanceof LiveSession ? session.beyond : 0);
  const isPaused = isLive && !following;
  write('state-text', stateText(state, { paused: isPaused, unseen: fresh, refused: state === 'closed' && notice?.kind === 'refused' }));
  el('state').dataset.paused = String(isPaused && state === 'live');
  el('resume').hidden = following || !isLive || state === 'connecting';
  write('resume', fresh > 0 ? `${count(fresh)} new · resume` : 'paused · resume');
  showNotice(records, whole);
  showLosses();
  if (session instanceof RangeSession || session === null) {
    write('last-id', list.held.newest?.id ?? '–');
    write('proof', session === null || notice ? '' : rangeText(records, whole));
    el('proof').dataset.level = 'whole';
    return;
  }
  write('last-id', session.continuity.lastId ?? lastId ?? '–');
  const { text, level } = proofText(session.continuity, session.startedAt, state);
  write('proof', text);
  el('proof').dataset.level = level;
}

/** Loading, failed, refused, and empty are four states; each is said in one place, and only while it is so. @param {number} records @param {boolean} whole */
function showNotice(records, whole) {
  const before = { loading: '', failed: 'Not loaded: ', login: 'Not loaded: ', refused: '' };
  const after = { loading: '', failed: '. It is asked again.', login: '. Reload this page.', refused: '' };
  el('notice').hidden = notice === null;
  el('notice').dataset.kind = notice?.kind ?? '';
  write('notice', notice === null ? '' : `${before[notice.kind]}${notice.text}${after[notice.kind]}`);
  const isAsked = session instanceof RangeSession || state === 'live' || state === 'ended';
  el('empty').hidden = !(notice === null && records === 0 && whole && isAsked);
  const matches = view.q ? ` that matches ${view.q}` : '';
  write('empty', view.range ? `Nothing recorded in this range${matches}.` : `Nothing recorded yet${matches}. New events appear here by themselves.`);
}

/** What the recorder may have missed, apart from what this page has. */
function showLosses() {
  const gaps = session === null || session instanceof ReplaySession ? null : session.stored.gaps;
  el('losses').hidden = gaps === null;
  if (gaps === null) return;
  const items = [...gaps.values()].sort((a, b) => a.seq - b.seq);
  const known = items.flatMap(({ gap }) => (gap ? [gap] : []));
  const { text, level } = lossText(known, view.range ? 'in this range' : 'in 24 h');
  write('losses', text);
  el('losses').dataset.level = level;
  el('losses').dataset.id = items.findLast(({ gap }) => level === 'whole' || gap?.reason !== 'first-contact')?.id ?? '';
}

/** @param {import('./list.js').ListState} s */
function showListState({ folded, records, top, bottom }) {
  const stored = session === null || session instanceof ReplaySession ? null : session.stored;
  if (stored) {
    const { from, until } = stored.span;
    const newest = list.held.complete.newer ? list.held.newest?.at ?? Number.NaN : Number.NaN;
    if (newest > until || Number.isNaN(until)) stored.span.until = newest;
    rail.span(from, stored.span.until);
    rail.at(top, bottom);
  }
  write('counts', `${count(records)} ${records === 1 ? 'record' : 'records'} here`);
  const noise = folded + (stored?.folded ?? 0);
  write('noise', view.noise ? `health checks: ${count(noise)} shown · fold` : `health checks: ${count(noise)} folded · show`);
  el('noise').setAttribute('aria-pressed', String(view.noise));
  meetHosts(list.held.sources);
  scheduleProgress();
}

/** @param {Iterable<string>} names */
function meetHosts(names) {
  if (!hosts.meet(names)) return;
  hosts.show(view.q);
  document.body.classList.toggle('several', hosts.areSeveral);
  list.setHosts(hosts.areSeveral);
}

/** @param {string|null} message */
function showError(message) {
  el('filter-error').textContent = message ?? '';
  el('filter').setAttribute('aria-invalid', String(message !== null));
}

function showProblems(more = upgraded) {
  upgraded = more;
  banner.show([...upgraded, ...problems]);
}

function showInputs() {
  el('filter').value = view.q;
  el('since').value = forInput(view.since);
  el('until').value = forInput(view.until);
  el('go-live').setAttribute('aria-pressed', String(!view.range));
  const offset = offsetText(new Date());
  // Where both are the same there is nothing to switch.
  el('zone').disabled = !isUtc() && offset === 'Z';
  el('zone').textContent = isUtc() ? 'times in UTC · local' : offset === 'Z' ? 'times in UTC' : `times in ${zoneName()} (UTC${offset}) · UTC`;
  document.title = view.q ? `${view.q} · shipslog` : 'shipslog';
}

const goLive = () => changeView({ range: false, since: '', until: '' });
function toggleNoise() {
  view = { ...view, noise: !view.noise };
  history.replaceState(null, '', viewAddress(view));
  list.setFold(!view.noise);
  if (session === null || session instanceof ReplaySession) return;
  // What the server has left out has to be fetched, and is to be let go.
  const anchor = list.state.following ? null : list.first;
  goTo(anchor ? { id: anchor.id } : { edge: 'newer' });
}
function toggleZone() {
  setUtc(!isUtc());
  showInputs();
  list.refill(true);
  scheduleProgress();
}
function resume() {
  if (session instanceof LiveSession && !session.isAttached) goTo({ edge: 'newer' });
  else list.follow();
}
function escape() {
  if (drawer.isOpen) drawer.close();
  else el('list').focus();
}

el('query').addEventListener('submit', (/** @type {Event} */ event) => {
  event.preventDefault();
  const [since, until] = [el('since').value, el('until').value];
  if (since || until) applyRange(since, until);
  else applyFilter(el('filter').value.trim());
});
el('filter').addEventListener('input', () => {
  // Only what is wrong for sure: while a term is being typed it is not wrong yet.
  if (parseFilter(el('filter').value).error === null) showError(null);
});
for (const button of document.querySelectorAll('[data-since]')) {
  button.addEventListener('click', () => applyRange(/** @type {HTMLElement} */ (button).dataset.since ?? '', ''));
}
el('go-live').addEventListener('click', goLive);
el('noise').addEventListener('click', toggleNoise);
el('zone').addEventListener('click', toggleZone);
el('resume').addEventListener('click', resume);
el('losses').addEventListener('click', () => {
  const { id } = el('losses').dataset;
  const held = list.held.shown.find((item) => !isMarker(item) && item.id === id);
  if (held && !isMarker(held)) list.show(held.seq, { select: true });
  else if (id) goTo({ id });
});
el('help-button').addEventListener('click', () => el('help').showModal());
offerLogout(el('logout'));
addEventListener('popstate', () => {
  view = readView(location.search);
  openView();
});
bindKeys({
  '/': () => el('filter').select(),
  ' ': () => (list.state.following ? list.pause() : resume()),
  '?': () => el('help').showModal(),
  e: toggleNoise,
  l: goLive,
  u: toggleZone,
  Escape: escape,
});

/**
 * A debugging aid, for the console and for tests. `records()` are the ids the list holds, in order, folded ones
 * included; `state()` is what the page has verified about its stream.
 */
/** @type {any} */ (globalThis).shipslog = {
  records: () => list.held.ids(),
  state: () => {
    const { lastId = null, resumes = 0, missed = 0, gaps = 0, resets = 0 } = session instanceof RangeSession || session === null ? {} : session.continuity;
    return { state, lastId, resumes, missed, gaps, resets };
  },
};

openView();
