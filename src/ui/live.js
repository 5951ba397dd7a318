// The live page: connects the parts to each other. What each part does is in its own file.

import { aboutStored, showExports } from './about.js';
import { Banner } from './banner.js';
import { Charts } from './charts.js';
import { ChipBox } from './chips.js';
import { bindControls } from './controls.js';
import { filterQuery, parseFilter, termText } from './filter.js';
import { inOrder, isAbout } from './incident-words.js';
import { showCounts, showInputs as writeInputs, showProgress as writeProgress } from './header.js';
import { watchHealth } from './health.js';
import { HostPicker, replaceTerm } from './hosts.js';
import { Late, awaitPerson } from './late.js';
import { EventList } from './list.js';
import { IncidentPane, tabTitle } from './pane.js';
import { Rail } from './rail.js';
import { serverClock } from './serverclock.js';
import { isMarker } from './rows.js';
import { LiveSession, RangeSession, verified } from './session.js';
import { millis, toRange } from './timespan.js';
import { isOther, isOutdated, missingProblem, upgradeProblem } from './upgrade.js';
import { around, bounds, isOnIncident, isRelative, readView, settled, shifted, viewAddress } from './view.js';
import { isUtc, setUtc } from './zone.js';

/** Between two looks at the incidents of a replay. */
const REPLAYED_MS = 1_000;
const el = (/** @type {string} */ id) => /** @type {any} */ (document.getElementById(id));

let view = readView(location.search);
/** @type {import('./header.js').Session|null} */
let session = null;
/** What the view asks for: filter and range. @type {Record<string, string>} */
let asked = {};
/** @type {import('./session.js').SessionState} */
let state = 'connecting';
/** @type {string|null} */
let lastId = null;
let [progressFrame, replayedAt, isMissing] = [0, 0, false];
/** @type {import('./stored.js').Notice|null} */
let notice = null;
/** What is wrong, and what is said of parts of another version. @type {import('./health.js').Problem[][]} */
let [problems, upgraded] = [[], []];

const list = new EventList(el('list'), {
  onChange: showListState,
  onOpen: openRecord,
  onNeed: (end) => (session === null || session.kind === 'replay' ? null : session.more(end)),
  onEdge: goToEdge,
});
const rail = new Rail(el('rail'), (time) => goTo({ time }));
const banner = new Banner(el('banner'));
/** What one record says is asked for by a person. @type {Late<import('./drawer.js').Drawer>} */
const drawer = new Late(async () => new (await import('./drawer.js')).Drawer(el('drawer'), {
  onFilter: (key, value) => applyFilter(replaceTerm(view.q, key, value)),
  onAround: ({ id, time }) => changeView({ q: '', range: true, ...around(millis(time)), record: id }),
  linkTo: (id) => new URL(viewAddress({ ...view, q: '', range: true, since: '', until: '', record: id }), location.href).href,
  onClose: () => list.deselect(),
}));
let openIncidents = 0;
const pane = new IncidentPane(view, {
  onChange: (change) => changeView(change),
  onReplace: (change) => {
    view = { ...view, ...change };
    history.replaceState(history.state, '', viewAddress(view));
    pane.show(view);
  },
  onReplay: (range) => {
    changeView({ v: 'events', q: '', sel: '', record: '', range: true, ...range });
    startReplay();
  },
  onIncidents: showCharts,
  onCount: (open) => {
    openIncidents = open;
    showTitle();
  },
  matches: (incident) => isAbout(incident, parseFilter(view.q).terms),
});
const charts = new Charts(el('charts'), {
  onRange: (range) => changeView({ sel: range ? `${range.since},${range.until}` : '' }),
  onFilter: (q, { since, until }) => changeView({ v: 'events', q, sel: `${since},${until}` }),
  onRecord: (id) => changeView({ v: 'events', q: '', sel: '', range: true, record: id }),
  onIncident: (id) => pane.open(id),
  onZoom: zoom,
  onZoomTo: (range) => changeView({ range: true, sel: '', ...range }),
  onBack: () => history.back(),
});
const chips = new ChipBox(el('chips'), (terms) => applyFilter(terms.map(termText).join(' ')));
const hosts = new HostPicker(el('hosts'), (host) => applyFilter(replaceTerm(view.q, 'source', host)));
const health = watchHealth({
  onProblems: (next) => {
    problems = next;
    showProblems();
    scheduleProgress();
  },
  onReady: ({ sources = [], page, fleet }) => {
    /** @type {HTMLElement} */ (document.querySelector('[data-tab-of="hosts"]')).hidden = !fleet;
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
function replayTime() {
  const time = session?.kind === 'replay' ? session.time : null;
  charts.moveTo(time);
  return time;
}
/** Only a range can be replayed. @type {Late<import('./replaybar.js').ReplayBar>} */
const replayBar = new Late(async () => new (await import('./replaybar.js')).ReplayBar(el('replay'), {
  open: (make) => {
    closeRecord();
    openSession(make(asked, handlers));
    list.held.complete = { older: true, newer: true };
  },
  session: () => (session?.kind === 'replay' ? session : null),
  stop: () => openView(),
}));
const isReplayable = () => view.range && session !== null;
const startReplay = () => replayBar.use((bar) => isReplayable() && bar.start());
const showReplay = (/** @type {import('./replaybar.js').ReplayBar} */ bar) => bar.show(state, isReplayable(), session?.kind === 'replay' ? replayTime : null);
const commandsDialog = new Late(() => import('./commands.js'));

/** What a view asks for: as long as it stays, what is loaded stays. @param {import('./view.js').View} of */
const asking = ({ q, range, since, until, sel, record }) => JSON.stringify([q, range, since, until, sel, record]);

/** Opens what `view` says; the only way a view starts. */
function openView() {
  session?.close();
  session = null;
  closeRecord();
  list.clear();
  notice = null;
  const range = settled(view);
  if (range.error === null && viewAddress(range.view) !== viewAddress(view)) history.replaceState(history.state, '', viewAddress(range.view));
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
  pane.show(view);
  charts.moveTo(null);
  showCharts();
  chips.show(parsed.terms);
  hosts.show(view.q);
  list.setFold(!view.noise);
  asked = { ...(view.since && { since: view.since }), ...(view.until && { until: view.until }), ...bounds(view.sel), ...filterQuery(parsed) };
  showExports(asked);
  const target = view.record ? { id: view.record } : /** @type {const} */ ({ edge: 'newer' });
  openSession(view.range || view.sel ? new RangeSession(asked, list, handlers, target) : new LiveSession(asked, list, handlers));
}

/** @param {import('./header.js').Session} next */
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
  if (session !== next || !view.record || next.kind !== 'range') return;
  const item = list.held.shown.find((each) => !isMarker(each) && each.id === view.record);
  if (item && !isMarker(item)) openRecord(item);
}

/** @param {import('./rows.js').RecordItem} item */
function openRecord(item) {
  drawer.drop();
  drawer.use((one) => one.open(item));
}

function closeRecord() {
  drawer.drop()?.close();
}

/** @param {Partial<import('./view.js').View>} change */
const changeView = (change) => go({ ...view, record: '', ...change }, true);

/** @param {import('./view.js').View} next @param {boolean} isNew for the history */
function go(next, isNew) {
  const isSame = asking(next) === asking(view);
  view = next;
  const to = viewAddress(view);
  if (isNew && to !== (location.search || location.pathname)) history.pushState({ depth: (history.state?.depth ?? 0) + 1 }, '', to);
  if (!isSame) return openView();
  if (view.record === '') closeRecord();
  pane.show(view);
  showCharts();
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
  if (session === null || session.kind === 'replay') return;
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
  if (items.some((item) => !isMarker(item) && !item.noise)) pane.store.hint();
  scheduleProgress();
}

/** @param {import('./session.js').SessionState} next */
function onState(next) {
  state = next;
  el('state').dataset.state = next;
  health.streamIs(next === 'live' ? 'up' : next === 'reconnecting' ? 'down' : 'unknown');
  el('replay').hidden = !isReplayable();
  if (isReplayable() || replayBar.here) replayBar.use(showReplay);
  scheduleProgress();
}

/** Records may come by the thousand; the header is written once a frame. */
function scheduleProgress() {
  progressFrame ||= requestAnimationFrame(() => {
    progressFrame = 0;
    showProgress();
    if (state === 'replaying') replayIncidents();
  });
}

/** List and charts go along with a replay, once a second. */
function replayIncidents() {
  const time = session?.kind === 'replay' ? session.time : null;
  if (time === null || performance.now() - replayedAt < REPLAYED_MS) return;
  replayedAt = performance.now();
  pane.replayAt(time);
}

const showProgress = () => writeProgress(list, { session, view, state, notice, lastId });

/** @param {import('./list.js').ListState} s */
function showListState({ folded, records, top, bottom }) {
  const stored = session === null || session.kind === 'replay' ? null : session.stored;
  if (stored) {
    const { from, until } = stored.span;
    const newest = list.held.complete.newer ? list.held.newest?.at ?? Number.NaN : Number.NaN;
    if (newest > until || Number.isNaN(until)) stored.span.until = newest;
    rail.span(from, stored.span.until);
    rail.at(top, bottom);
  }
  showCounts(records, folded + (stored?.folded ?? 0), view);
  meetHosts(list.held.sources);
  scheduleProgress();
}

/** @param {Iterable<string>} names */
function meetHosts(names) {
  if (!hosts.meet(names)) return;
  hosts.show(view.q);
  document.body.classList.toggle('several', hosts.areSeveral);
  list.setHosts(hosts.areSeveral);
  pane.list.setHosts(hosts.areSeveral);
}

/** @param {string|null} message */
function showError(message) {
  el('filter-error').textContent = message === null ? '' : `Not applied: ${message}`;
  el('filter').setAttribute('aria-invalid', String(message !== null));
}

function showProblems(more = upgraded) {
  upgraded = more;
  const all = [...upgraded, ...problems];
  // Whatever else is wrong, or wants a reload, says why a part does not come.
  const isQuiet = all.every(({ level, link }) => level === 'note' && !link);
  banner.show(isMissing && isQuiet ? [...all, missingProblem()] : all);
}

function showInputs() {
  writeInputs(view);
  showTitle();
}

/** The whole range, or that of the incidents: the last day of what is recorded. */
function showCharts() {
  const { since, until, q, sel, i, range } = view;
  el('charts').hidden = false;
  charts.show({ since, until, live: !range, q, sel, i, incidents: pane.store.page && inOrder(pane.store.incidents) });
}

function showTitle() {
  document.title = tabTitle(openIncidents, view.q);
}

const goLive = () => changeView({ range: false, since: '', until: '', sel: '' });
function toggleNoise() {
  view = { ...view, noise: !view.noise };
  history.replaceState(history.state, '', viewAddress(view));
  list.setFold(!view.noise);
  if (session === null || session.kind === 'replay') return;
  // What the server has left out has to be fetched, and is to be let go.
  const anchor = list.state.following ? null : list.first;
  goTo(anchor ? { id: anchor.id } : { edge: 'newer' });
}
function toggleZone() {
  setUtc(!isUtc());
  showInputs();
  pane.refill();
  showCharts();
  list.refill(true);
  scheduleProgress();
}
function resume() {
  if (session?.kind === 'live' && !session.isAttached) goTo({ edge: 'newer' });
  else list.follow();
}
function escape() {
  const typed = document.activeElement;
  if (typed instanceof HTMLInputElement) {
    typed.blur();
    el('list').focus();
  } else if (drawer.here?.isOpen) closeRecord();
  else if (view.sel) changeView({ sel: '' });
  else if (!pane.close()) el('list').focus();
}
function zoom() {
  const range = bounds(view.sel) ?? pane.range;
  if (range) changeView({ range: true, sel: '', ...range });
}
/** @param {1|-1} step */
function shift(step) {
  const range = shifted(view, step, serverClock.now());
  if (range) changeView({ range: true, sel: '', ...range });
}
const commands = () => commandsDialog.use(({ showCommands }) => showCommands(el('commands'), { ...view, ...bounds(view.sel) }, pane));

addEventListener('popstate', () => go(readView(location.search), false));
bindControls({
  applyFilter, applyRange, goLive, toggleNoise, toggleZone, resume, commands, zoom, shift, escape, list, pane, charts,
  // Only what is wrong for sure: while a term is being typed it is not wrong yet.
  onTyping: (text) => { if (parseFilter(text).error === null) showError(null); },
  replay: () => pane.drawer.here?.act('replay') || startReplay(),
  toLoss: (id) => {
    if (isOnIncident(view)) pane.toEvents();
    const held = list.held.shown.find((item) => !isMarker(item) && item.id === id);
    if (held && !isMarker(held)) list.show(held.seq, { select: true });
    else if (id) goTo({ id });
  },
});

/** For the console and for tests: `records()` are the ids the list holds, in order, folded ones included; `state()` is what the page has verified of its stream. */
/** @type {any} */ (globalThis).shipslog = { charts, records: () => list.held.ids(), state: () => ({ state, ...verified(session) }) };

awaitPerson(() => { isMissing = true; showProblems(); });
if (isRelative(view)) health.known.then(openView);
else openView();
