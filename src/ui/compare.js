// The comparison page: starts the three transports at one cursor, cuts and resumes them, shows their meters.

import { cursorOf } from './cursor.js';
import { count } from './format.js';
import { fetchPart } from './history.js';
import { Meter } from './meter.js';
import { PollingTransport, SseTransport, WebSocketTransport } from './transports.js';

/** @typedef {{name: string, meter: Meter, transport: import('./transports.js').Transport}} Lane */

const CUT_MS = Number(new URLSearchParams(location.search).get('cut_ms')) || 10_000;
const DRAW_MS = 250;
const el = (/** @type {string} */ id) => /** @type {any} */ (document.getElementById(id));
const ms = (/** @type {number|undefined} */ n) => n?.toFixed(1) ?? '–';

/** @type {[string, string, (meter: Meter) => string][]} */
const METRICS = [
  ['mean', 'live delay in ms, mean', (meter) => ms(meter.delay()?.mean)],
  ['p99', 'live delay in ms, p99', (meter) => ms(meter.delay()?.p99)],
  ['records', 'records seen', (meter) => count(meter.records)],
  ['missed', 'missed', (meter) => count(meter.missed)],
  ['repeated', 'repeated', (meter) => count(meter.repeated)],
  ['requests', 'requests made', (meter) => count(meter.requests)],
  ['reconnects', 'reconnects', (meter) => count(meter.reconnects)],
  ['bytes', 'bytes received', (meter) => count(meter.bytes)],
];
const LANES = /** @type {const} */ (['sse', 'polling', 'websocket']);

/** @type {Lane[]} */
let lanes = [];
let drawTimer = 0;
let cutTimer = 0;
/** Head of the log when a cut ended; the verdict waits until every lane has reached it. @type {number|null} */
let goal = null;
let cutAt = 0;

function buildTable() {
  for (const [metric, label] of METRICS) {
    const row = el('results').insertRow();
    const head = document.createElement('th');
    head.scope = 'row';
    head.textContent = label;
    row.append(head);
    for (const lane of LANES) {
      const cell = row.insertCell();
      cell.dataset.lane = lane;
      cell.dataset.metric = metric;
      cell.textContent = '–';
    }
  }
}

async function start() {
  el('run').disabled = true;
  say('asking where the log ends…');
  try {
    const { log } = await fetchPart({ order: 'desc', limit: '1' });
    begin(cursorOf(log.id, log.head), log.head);
  } catch (error) {
    say(`not started: ${/** @type {Error} */ (error).message}`);
  }
  el('run').disabled = false;
}

/** @param {string} after @param {number} seq */
function begin(after, seq) {
  const kinds = [SseTransport, PollingTransport, WebSocketTransport];
  lanes = kinds.map((Kind, index) => {
    const meter = new Meter(seq);
    return { name: LANES[index], meter, transport: new Kind(after, meter) };
  });
  for (const { transport } of lanes) transport.connect();
  verdict('', '');
  goal = null;
  drawTimer = setInterval(draw, DRAW_MS);
  el('run').textContent = 'Stop';
  el('cut').disabled = false;
  el('phase').dataset.from = String(seq);
  say(`running, from ${after}`);
}

function stop() {
  clearInterval(drawTimer);
  clearTimeout(cutTimer);
  for (const { transport } of lanes) transport.cut();
  draw();
  lanes = [];
  el('run').textContent = 'Start';
  el('cut').disabled = true;
  say('stopped');
}

function cut() {
  for (const { transport, meter } of lanes) {
    transport.cut();
    meter.replayed = 0;
  }
  el('cut').disabled = true;
  // Polling may not have asked yet for what the other two have: that was not written during the cut.
  cutAt = Math.max(...lanes.map(({ meter }) => meter.lastSeq));
  verdict('', '');
  const until = Date.now() + CUT_MS;
  const tick = () => {
    const left = until - Date.now();
    if (left <= 0) resume();
    else {
      say(`cut, all three, for another ${Math.ceil(left / 1000)} s`);
      cutTimer = setTimeout(tick, Math.min(left, 250));
    }
  };
  tick();
}

async function resume() {
  say('resumed, each by its own means');
  try {
    goal = (await fetchPart({ order: 'desc', limit: '1' })).log.head;
  } catch {
    say('the server does not answer; the three go on trying');
  }
  for (const { transport } of lanes) transport.connect();
  el('cut').disabled = lanes.length === 0;
}

function draw() {
  for (const { name, meter } of lanes) {
    for (const [metric, , text] of METRICS) {
      const cell = document.querySelector(`[data-lane="${name}"][data-metric="${metric}"]`);
      if (!(cell instanceof HTMLElement)) continue;
      const isJudged = metric === 'missed' || metric === 'repeated';
      // What has seen nothing has proven nothing.
      const isKnown = !isJudged || meter.records > 0;
      cell.textContent = isKnown ? text(meter) : '–';
      if (isJudged) cell.className = !isKnown ? '' : text(meter) === '0' ? 'good' : 'bad';
    }
  }
  judge();
}

/** Says what came of a cut, once every lane has reached the place where the log was when it ended. */
function judge() {
  const end = goal;
  if (end === null || lanes.some(({ meter }) => meter.lastSeq < end)) return;
  goal = null;
  const lost = lanes.filter(({ meter }) => meter.missed > 0 || meter.repeated > 0);
  const during = end - cutAt;
  if (lost.length === 0) verdict(`${count(during)} ${during === 1 ? 'record' : 'records'} written during the cut: all three have every one, once.`, 'good');
  else verdict(`${lost.map(({ name }) => name).join(', ')} did not come back whole.`, 'bad');
}

/** @param {string} text */
const say = (text) => {
  if (el('phase').textContent !== text) el('phase').textContent = text;
};

/** @param {string} text @param {string} kind */
function verdict(text, kind) {
  el('verdict').textContent = text;
  el('verdict').className = `verdict ${kind}`;
}

el('run').addEventListener('click', () => (lanes.length ? stop() : start()));
el('cut').addEventListener('click', cut);
el('cut').textContent = `Cut the connections for ${CUT_MS / 1000} s`;
buildTable();
start();
