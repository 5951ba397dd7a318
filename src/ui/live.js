// The live page: connects the parts to each other. What each part does is in its own file.

import { ChipBox } from './chips.js';
import { Drawer } from './drawer.js';
import { filterQuery, parseFilter, termText } from './filter.js';
import { count } from './format.js';
import { watchHealth } from './health.js';
import { bindKeys } from './keys.js';
import { EventList } from './list.js';
import { offerLogout } from './logout.js';
import { ReplaySession } from './replay.js';
import { ReplayBar } from './replaybar.js';
import { isMarker } from './rows.js';
import { LiveSession, RangeSession } from './session.js';
import { progressText, proofText, stateText } from './status.js';
import { forInput, toInstant } from './timespan.js';
import { readView, viewAddress } from './view.js';

const CAPACITY = 200_000;
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

const list = new EventList(el('list'), {
  capacity: CAPACITY,
  onChange: showListState,
  onOpen: (item) => drawer.open(item),
});
const drawer = new Drawer(el('drawer'), {
  onFilter: (term) => applyFilter(addTerm(view.q, termText(term))),
  onClose: () => list.deselect(),
});
const chips = new ChipBox(el('chips'), (terms) => applyFilter(terms.map(termText).join(' ')));
const health = watchHealth(showProblems);
const handlers = { onItems, onReset: () => list.clear(), onState, onProgress: scheduleProgress, onError: showError };
const replay = () => /** @type {ReplaySession} */ (session);
const replayBar = new ReplayBar(el('replay'), {
  start: (speed) => {
    drawer.close();
    openSession(new ReplaySession(asked, speed, handlers), 'end');
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
  drawer.close();
  showInputs();
  const parsed = parseFilter(view.q);
  showError(parsed.error);
  if (parsed.error !== null) return;
  chips.show(parsed.terms);
  list.setFold(!view.noise);
  const range = { ...(view.since && { since: view.since }), ...(view.until && { until: view.until }) };
  asked = { ...range, ...filterQuery(parsed) };
  showExports(asked);
  if (view.range) openSession(new RangeSession(asked, handlers), 'start');
  else openSession(new LiveSession(asked, handlers), 'end');
}

/** @param {LiveSession|RangeSession|ReplaySession} next @param {'start'|'end'} edge */
function openSession(next, edge) {
  session?.close();
  list.clear();
  lastId = null;
  list.showEdge(edge);
  session = next;
  session.open();
  showProgress();
}

/** @param {Partial<import('./view.js').View>} change */
function changeView(change) {
  view = { ...view, ...change };
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

/** @param {string} text @param {string} term */
const addTerm = (text, term) => (text.split(' ').includes(term) ? text : `${text} ${term}`.trim());

/** @param {string} typedSince @param {string} typedUntil */
function applyRange(typedSince, typedUntil) {
  const since = toInstant(typedSince);
  const until = toInstant(typedUntil);
  const filterError = parseFilter(el('filter').value).error;
  const error = since.error ?? until.error ?? filterError;
  showError(error);
  if (error === null) changeView({ q: el('filter').value.trim(), range: true, since: since.value, until: until.value });
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
  el('state-text').textContent = stateText(next);
  health.streamIs(next === 'live' ? 'up' : next === 'reconnecting' ? 'down' : 'unknown');
  replayBar.show(next, view.range, session instanceof ReplaySession ? () => replay().time : null);
  scheduleProgress();
}

/** Records may come by the thousand; the header is written once a frame. */
function scheduleProgress() {
  progressFrame ||= requestAnimationFrame(() => {
    progressFrame = 0;
    showProgress();
  });
}

function showProgress() {
  el('last-id').textContent = lastId ?? '–';
  const bar = el('progress');
  if (session instanceof RangeSession) {
    const { done, total, finished } = session.progress;
    el('proof').textContent = progressText(session);
    el('proof').dataset.level = 'whole';
    bar.hidden = finished;
    if (total) Object.assign(bar, { max: total, value: done });
    else bar.removeAttribute('value');
    return;
  }
  bar.hidden = true;
  if (!session) return;
  el('last-id').textContent = session.continuity.lastId ?? lastId ?? '–';
  const { text, level } = proofText(session.continuity, session.startedAt, state);
  // Written only when it changes, or a screen reader would speak it for each record.
  if (el('proof').textContent !== text) el('proof').textContent = text;
  el('proof').dataset.level = level;
}

/** @param {import('./list.js').ListState} s */
function showListState({ following, unseen, folded, records, dropped }) {
  const older = dropped > 0 ? ` · ${count(dropped)} older ones dropped here, still in the log` : '';
  el('counts').textContent = `${count(records)} ${records === 1 ? 'record' : 'records'}${older}`;
  el('noise').textContent = view.noise
    ? `health checks: ${count(folded)} shown · fold`
    : `health checks: ${count(folded)} folded · show`;
  el('noise').setAttribute('aria-pressed', String(view.noise));
  el('resume').hidden = following || session instanceof RangeSession;
  el('resume').textContent = unseen > 0 ? `${count(unseen)} new · resume` : 'paused · resume';
  const quiet = records === 0 && state !== 'connecting' && state !== 'reconnecting';
  el('empty').hidden = !quiet;
  el('empty').textContent = view.range ? 'Nothing recorded in this range.' : 'Nothing recorded yet that matches. New events appear here by themselves.';
}

/** @param {string|null} message */
function showError(message) {
  el('filter-error').textContent = message ?? '';
  el('filter').setAttribute('aria-invalid', String(message !== null));
}

/** @param {import('./health.js').Problem[]} problems */
function showProblems(problems) {
  const banner = el('banner');
  const lines = problems.map(({ level, text, hint, link }) => {
    const line = document.createElement('p');
    line.className = level;
    const what = document.createElement('strong');
    what.textContent = text;
    line.append(what, ` ${hint}`);
    if (link) {
      const way = document.createElement('a');
      way.href = link.href;
      way.textContent = link.text;
      line.append(' ', way);
    }
    return line;
  });
  const text = lines.map((line) => line.textContent).join('\n');
  // An alert that is written again is read out again.
  if (banner.dataset.text === text) return;
  banner.dataset.text = text;
  banner.replaceChildren(...lines);
  banner.hidden = lines.length === 0;
}

/** @param {Record<string, string>} query */
function showExports(query) {
  for (const link of document.querySelectorAll('.exports a')) {
    const { dataset } = /** @type {HTMLAnchorElement} */ (link);
    /** @type {HTMLAnchorElement} */ (link).href = `/api/v1/export?${new URLSearchParams({ format: 'jsonl', compression: dataset.compression ?? 'none', ...query })}`;
  }
}

function showInputs() {
  el('filter').value = view.q;
  el('since').value = forInput(view.since);
  el('until').value = forInput(view.until);
  el('go-live').setAttribute('aria-pressed', String(!view.range));
  document.title = view.q ? `${view.q} · shipslog` : 'shipslog';
}

const goLive = () => changeView({ range: false, since: '', until: '' });
function toggleNoise() {
  view = { ...view, noise: !view.noise };
  history.replaceState(null, '', viewAddress(view));
  list.setFold(!view.noise);
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
el('resume').addEventListener('click', () => list.follow());
el('help-button').addEventListener('click', () => el('help').showModal());
offerLogout(el('logout'));
addEventListener('popstate', () => {
  view = readView(location.search);
  openView();
});
bindKeys({
  '/': () => el('filter').select(),
  ' ': () => (list.state.following ? list.pause() : list.follow()),
  '?': () => el('help').showModal(),
  e: toggleNoise,
  l: goLive,
  Escape: escape,
});

/**
 * A debugging aid, for the console and for tests. `records()` are the ids the list holds, in order, folded ones
 * included; `state()` is what the page has verified about its stream.
 */
/** @type {any} */ (globalThis).shipslog = {
  records: () => list.recordIds(),
  state: () => {
    const { lastId = null, resumes = 0, missed = 0, gaps = 0, resets = 0 } = session instanceof RangeSession || session === null ? {} : session.continuity;
    return { state, lastId, resumes, missed, gaps, resets };
  },
};

openView();
