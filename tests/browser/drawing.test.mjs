// What histogram and lanes are drawn from, without a browser: the axis, bars, spans and marks, and what keys do.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MAX_BARS, barsIn, barsOf, heights, pathOf } from '../../src/ui/bars.js';
import { keyed } from '../../src/ui/brush.js';
import { contents, unknowns } from '../../src/ui/histogram.js';
import { MAX_RAN_ON, MAX_TOLD, deploysNear, someOf } from '../../src/ui/neighbours.js';
import { MAX_OF_INCIDENTS, SHOWN, TICK, laneOf, markText, melt, segments, stateAt, together, unasked, weight, wordAt } from '../../src/ui/spans.js';
import { NEAREST_MS, TimeScale, stepOf, zoomed } from '../../src/ui/timescale.js';

process.env.TZ = 'UTC';
const BEGAN = Date.UTC(2026, 10, 28);
const iso = (/** @type {number} */ second) => new Date(BEGAN + second * 1_000).toISOString().replace('Z', '000000Z');
const HOUR = 3_600_000;
const CLASSES = ['failure', 'oom', 'health', 'stop', 'start', 'change', 'exec', 'probe', 'other', 'recorder'];
const bin = (/** @type {Record<string, number>} */ counts) => CLASSES.map((name) => counts[name] ?? 0);
const histogram = (/** @type {number[][]} */ bins, more = {}) => ({ since: iso(0), until: iso(bins.length * 60), begins: iso(0), bin_ms: 60_000, classes: CLASSES, bins, gaps: [], ended_after: null, edge_error: 0, ...more });
const lane = (/** @type {any} */ of) => laneOf({ key: 'shop/api', source: 'prod-1', project: 'shop', role: 'service', containers: [], spans: [], marks: [], folded: 0, ...of });
const events = (/** @type {import('../../src/ui/spans.js').Lane} */ of) => of.events;

test('an axis leads from instants to pixels and back', () => {
  const scale = new TimeScale(BEGAN, BEGAN + HOUR, 720);
  assert.deepEqual([scale.x(BEGAN), scale.x(BEGAN + HOUR / 2), scale.at(360), scale.at(-5), scale.at(9_999)], [0, 360, BEGAN + HOUR / 2, BEGAN, BEGAN + HOUR]);
  assert.equal(new TimeScale(5, 5, 100).span, 1, 'no axis is without length');
  assert.deepEqual([stepOf(700), stepOf(61_000), stepOf(400 * 24 * HOUR)], [1_000, 120_000, 730 * 24 * HOUR]);
});

test('ticks stand at round times, as finely as there is room, and days are named', () => {
  const texts = (/** @type {number} */ from, /** @type {number} */ until) => new TimeScale(from, until, 800).ticks(90).map(({ text }) => text);
  assert.deepEqual(texts(BEGAN + 79_000, BEGAN + 159_000), ['00:01:20', '00:01:30', '00:01:40', '00:01:50', '00:02:00', '00:02:10', '00:02:20', '00:02:30']);
  assert.deepEqual(texts(BEGAN - 5 * HOUR, BEGAN + 7 * HOUR), ['20:00', '22:00', '28 Nov', '02:00', '04:00', '06:00']);
  assert.deepEqual(texts(BEGAN, BEGAN + 1_000), ['00:00:00.000', '00:00:00.200', '00:00:00.400', '00:00:00.600', '00:00:00.800', '00:00:01.000']);
  assert.ok(new TimeScale(BEGAN, BEGAN + 40 * 365 * 24 * HOUR, 800).ticks(90).length < 10);
});

test('where the clocks are changed, ticks are at what the clock shows', () => {
  process.env.TZ = 'Europe/Berlin';
  for (const [day, texts] of /** @type {const} */ ([[Date.UTC(2026, 9, 24, 22), ['25 Oct', '01:00', '02:00', '03:00', '04:00']], [Date.UTC(2026, 2, 28, 23), ['29 Mar', '01:00', '03:00', '04:00', '05:00', '06:00']]])) {
    const ticks = new TimeScale(day, day + 5 * HOUR, 600).ticks(90);
    assert.deepEqual(ticks.map(({ text }) => text), texts);
    assert.ok(ticks.every(({ at }, n) => at >= day && at <= day + 5 * HOUR && (n === 0 || at > ticks[n - 1].at)));
  }
  process.env.TZ = 'UTC';
});

test('one failure among ten thousand probes can be seen, and nothing is higher than its room', () => {
  const room = { above: 52, below: 16 };
  const scale = new TimeScale(BEGAN, BEGAN + 4 * 60_000, 40);
  const { bars, most, mostRoutine } = barsOf(histogram([bin({ failure: 1, probe: 10_000 }), bin({ stop: 500 }), bin({ failure: 1, oom: 1, health: 1, change: 1, stop: 400 }), bin({ probe: 1 })]), scale, room);
  const of = (/** @type {string} */ kind, /** @type {number} */ x) => bars.find((bar) => bar.kind === kind && Math.round(bar.x) === x);
  assert.deepEqual([most, mostRoutine], [500, 10_000]);
  assert.ok((of('failure', 0)?.height ?? 0) >= 2 && (of('routine', 30)?.height ?? 0) >= 1);
  assert.ok((of('failure', 0)?.width ?? 0) >= 2);
  for (const x of [0, 10, 20]) {
    const above = bars.filter((bar) => bar.kind !== 'routine' && Math.round(bar.x) === x);
    assert.ok(above.every(({ y, height }) => y >= -0.001 && y + height <= 52.001), JSON.stringify(above));
    // The worst stands on the line.
    assert.equal(above[0].y + above[0].height, 52);
  }
  assert.deepEqual(bars.filter((bar) => Math.round(bar.x) === 20 && bar.kind !== 'routine').map(({ kind }) => kind), ['failure', 'oom', 'health', 'change', 'stop']);
  assert.ok(bars.filter(({ kind }) => kind === 'routine').every(({ y, height }) => y > 52 && y + height <= 70));
  assert.match(pathOf(bars), /^M0\.0 [\d.]+h/);
});

test('heights are in proportion where there is room, and what is low is not taken from', () => {
  assert.deepEqual(heights([5, 0, 5], 2, 52), [10, 0, 10]);
  const crowded = heights([1, 1, 100], 0.5, 52);
  assert.deepEqual([crowded[0], crowded[1], Math.round(crowded[0] + crowded[1] + crowded[2])], [4, 4, 52]);
  assert.ok(heights(Array(20).fill(1), 50, 52).reduce((a, b) => a + b) <= 52.001);
});

test('a replay has no bars of what has not come yet, and a part of the axis counts for itself', () => {
  const data = histogram([bin({ failure: 9 }), bin({ failure: 2 }), bin({ failure: 1 })]);
  const whole = new TimeScale(BEGAN, BEGAN + 180_000, 300);
  assert.equal(barsOf(data, whole, { above: 52, below: 16 }, BEGAN + 61_000).bars.length, 2);
  assert.equal(barsOf(data, new TimeScale(BEGAN + 60_000, BEGAN + 180_000, 300), { above: 52, below: 16 }).most, 2);
  assert.equal(contents(data, BEGAN + 60_000, BEGAN + 180_000), '3 failed');
  assert.equal(contents(data, BEGAN + 900_000, BEGAN + 990_000), 'no records');
});

test('what is not known is told in words', () => {
  const scale = new TimeScale(BEGAN, BEGAN + 180_000, 300);
  const lost = [iso(61), iso(65.5), 'ring-overflow', 'prod-1', '7f3c9a1e-64'];
  const told = unknowns(histogram([bin({})], { begins: iso(30), gaps: [lost] }), scale);
  assert.deepEqual(told.map(({ text, kind, record }) => [text, kind, record]), [['not recorded', 'before', ''], ['4.5 s lost', 'lost', '7f3c9a1e-64']]);
  assert.deepEqual(unknowns(histogram([bin({})], { gaps: [[iso(-60), iso(-30), 'x', 'a', 'b']] }), scale), []);
});

const CRASHED = lane({
  spans: [[iso(0), iso(10), 'running', 0], [iso(10), iso(11), 'restarting', 0], [iso(11), iso(20), 'running', 0], [iso(20), null, 'restarting', 0]],
  marks: [[iso(10), 'die', 'a-1', 'exit 1', 0], [iso(20), 'die', 'a-2', 'exit 1', 0]],
});

test('spans are clipped to the axis and to now', () => {
  const seen = segments(CRASHED, new TimeScale(BEGAN + 5_000, BEGAN + 105_000, 1_000), BEGAN + 25_000);
  assert.deepEqual(seen.map(({ state, x, width }) => [state, x, width]), [['running', 0, 50], ['restarting', 50, 10], ['running', 60, 90], ['restarting', 150, 50]]);
  assert.deepEqual(segments(CRASHED, new TimeScale(BEGAN, BEGAN + 100_000, 1_000), BEGAN + 5_000).map(({ width }) => width), [50], 'in a replay');
});

test('marks that would lie over each other are one, with their number', () => {
  const scale = new TimeScale(BEGAN, BEGAN + 100_000, 1_000);
  const dies = (/** @type {number[]} */ seconds) => lane({ marks: seconds.map((at) => [iso(at), 'die', `a-${at}`, 'exit 1', 0]) });
  const melted = melt(events(dies([10, 10.5, 11, 50])), scale, Number.POSITIVE_INFINITY);
  assert.deepEqual(melted.map(({ kind, n, events: [{ record }] }) => [kind, n, record]), [['X', 3, 'a-10'], ['X', 1, 'a-50']]);
  assert.equal(markText(melted[0]), 'failed, exit 1, 3 times');
  // What the server has melted counts as often.
  assert.equal(melt(events(lane({ marks: [[iso(10), 'die', 'a', 'exit 1', 17]] })), scale, Number.POSITIVE_INFINITY)[0].n, 17);
  assert.deepEqual(melt(events(dies([10, 50])), scale, BEGAN + 20_000).length, 1, 'in a replay');
});

test('a change never melts into a failure, and what was asked for gives way to both', () => {
  const scale = new TimeScale(BEGAN, BEGAN + 86_400_000, 1_000);
  const deploy = lane({
    spans: [[iso(0), iso(40_000), 'running', 0]],
    marks: [[iso(40_000), 'stop', 'a-1', 'exit 0', 0], [iso(40_001), 'create', 'a-2', 'app:2', 0], [iso(40_003), 'die', 'a-3', 'exit 1', 9], [iso(40_090), 'create', 'a-4', 'app:1', 0]],
  });
  const marks = melt(events(deploy), scale, Number.POSITIVE_INFINITY);
  // Beside the failures there is no room for two near their time.
  assert.deepEqual(marks.map(({ kind, n, width }) => [kind, n, width === TICK]), [['X', 9, false], ['C', 2, true]]);
  assert.ok(Math.abs(marks[1].x + TICK / 2 - scale.x(BEGAN + 40_001_000)) < 1, 'at its time');
  assert.deepEqual(events(deploy).filter(({ kind }) => kind === 'C').map(({ text }) => text), ['re-created from app:2', 're-created: app:2 → app:1']);
  // What was made after a failure is drawn after it.
  const mended = lane({ spans: [[iso(0), iso(40_000), 'running', 0]], marks: [[iso(40_000), 'die', 'a-1', 'exit 1', 0], [iso(40_090), 'create', 'a-2', 'app:1', 0]] });
  assert.deepEqual(melt(events(mended), scale, Number.POSITIVE_INFINITY).map(({ kind, width }) => [kind, width === TICK]), [['X', false], ['C', false]]);
  assert.deepEqual(melt(events(mended), new TimeScale(BEGAN, BEGAN + 40_100_000, 1_000), Number.POSITIVE_INFINITY).map(({ kind, width }) => [kind, width === TICK]), [['X', false], ['C', true]], 'no room at the right edge');
  // Between two failures it stands on neither side.
  const between = lane({ spans: [[iso(0), iso(40_000), 'running', 0]], marks: [[iso(107), 'die', 'a-1', 'exit 1', 0], [iso(112), 'create', 'a-2', 'app:1', 0], [iso(122), 'die', 'a-3', 'exit 1', 0]] });
  assert.deepEqual(melt(events(between), new TimeScale(BEGAN, BEGAN + 1_000_000, 1_000), Number.POSITIVE_INFINITY).map(({ kind, width }) => [kind, width === TICK]), [['X', false], ['C', true], ['X', false]]);
  // At the left edge there is room at the right only.
  const edge = melt(events(deploy), new TimeScale(BEGAN + 39_990_000, BEGAN + 86_400_000, 1_000), Number.POSITIVE_INFINITY);
  assert.ok(edge.every(({ x }) => x >= 0));
});

test('of an oom and its death one is drawn, and a first container is no change', () => {
  const told = events(lane({ marks: [[iso(1), 'create', 'a-1', 'app:1', 0], [iso(9), 'oom', 'a-2', null, 0], [iso(9.2), 'die', 'a-3', 'exit 137', 0], [iso(60), 'die', 'a-4', 'exit 137', 0]] }));
  assert.deepEqual(told.map(({ kind, record, text }) => [kind, record, text]), [['M', 'a-2', 'out of memory, exit 137'], ['X', 'a-4', 'failed, exit 137']]);
  assert.deepEqual(events(lane({ role: 'job', spans: [[iso(0), iso(1), 'running', 0]], marks: [[iso(1), 'create', 'a', 'x', 0], [iso(2), 'stop', 'b', 'exit 0', 0]] })), [], 'a job that ends well');
  assert.deepEqual(events(lane({ role: 'host', marks: [[iso(1), 'gap', 'a', 'first-contact', 0], [iso(2), 'gap', 'b', 'ring-overflow', 0]] })).map(({ kind }) => kind), ['G']);
});

test('a state is told in words, at any time', () => {
  const clock = (/** @type {number} */ at) => new Date(at).toISOString().slice(11, 19);
  const at = (/** @type {any} */ of, /** @type {number} */ second) => stateAt(of, BEGAN + second * 1_000, clock).text;
  assert.deepEqual([-5, 5, 10.5, 15, 25].map((second) => at(CRASHED, second)), ['not there yet', 'runs', 'waits', 'up for 4.0 s', 'waits, failed 2×']);
  assert.equal(at(lane({ spans: [[iso(0), iso(10), 'running', 0]] }), 20), 'gone 00:00:10');
  assert.equal(at(lane({ spans: [[iso(0), null, 'down', 0]] }), 62), 'down 62 s');
  // One of several, and one that was replaced.
  const running = [iso(0), null, 'running', 0];
  assert.equal(at(lane({ spans: [running, running, [iso(5), null, 'down', 0]] }), 9), '1 of 3 down');
  assert.equal(at(lane({ spans: [[iso(0), null, 'exited', 0], [iso(5), null, 'running', 0]] }), 9), 'runs');
  assert.equal(at(lane({ spans: [[iso(0), null, 'down', 0], [iso(5), null, 'running', 0]] }), 9), 'runs');
});

test('lanes with something to tell come first, and a failure of many is one', () => {
  const calm = lane({ spans: [[iso(0), null, 'running', 0]] });
  assert.deepEqual([weight(CRASHED, new Set()), weight(CRASHED, new Set(['shop/api'])), weight(calm, new Set()), weight(lane({ role: 'host' }), new Set())], [3, 4, 0, 0]);
  const many = ['svc1', 'svc0', 'svc3', 'svc2'].map((key) => ({ ...CRASHED, key }));
  const [one, other] = together([...many, calm], [{ kind: 'mass', source: 'prod-1', subjects: many }]);
  assert.deepEqual([one.key, one.marks.length, one.keys, other], ['svc0 … svc3', 8, ['svc0', 'svc1', 'svc2', 'svc3'], calm]);
  assert.equal(together(many, [{ kind: 'mass', source: 'another', subjects: many }]).length, 4);
});

test('keys move a range, widen and narrow it, and stay on the axis', () => {
  const axis = { from: 0, until: 1_000 };
  const range = { from: 100, until: 200 };
  const of = (/** @type {string} */ key, shift = false, from = range) => {
    const next = keyed(key, shift, from, 50, axis);
    return next && [next.from, next.until];
  };
  assert.deepEqual([of('ArrowLeft'), of('ArrowRight'), of('ArrowLeft', true), of('ArrowRight', true)], [[50, 150], [150, 250], [50, 200], [100, 250]]);
  assert.deepEqual([of('ArrowUp'), of('ArrowDown'), of('ArrowDown', false, { from: 0, until: 400 }), of('Home'), of('End')], [[50, 250], [100, 200], [50, 350], [0, 100], [900, 1_000]]);
  assert.deepEqual([of('ArrowLeft', false, { from: 20, until: 120 }), of('ArrowRight', true, { from: 20, until: 990 }), of('x')], [[0, 100], [20, 1_000], null]);
});

test('a range has as many bars as fit, and never more than a bound', () => {
  assert.deepEqual([barsIn(10), barsIn(720), barsIn(2_000), barsIn(100_000)], [20, 144, MAX_BARS, MAX_BARS]);
});

test('so many lanes are shown unasked, more of incidents, and never more than a bound', () => {
  const known = (/** @type {number} */ n, /** @type {number} */ of) => Array.from({ length: n }, () => ({ weight: of, lane: { role: 'service' } }));
  assert.equal(unasked([...known(SHOWN + 5, 3), ...known(50, 0)]).length, SHOWN);
  assert.equal(unasked([...known(SHOWN + 5, 4), ...known(9, 3), ...known(50, 0)]).length, SHOWN + 5);
  assert.equal(unasked([...known(MAX_OF_INCIDENTS + 20, 4), ...known(50, 0)]).length, MAX_OF_INCIDENTS);
  assert.equal(unasked([...known(1, 3), ...known(50, 0)]).length, 4, 'of any lanes a few, where few have something to tell');
  assert.equal(unasked([...known(SHOWN, 3), ...known(2, 0)]).length, SHOWN + 2, 'two more are not hidden');
});

test('zooming keeps the time that it is around, within what there is', () => {
  const axis = { from: BEGAN, until: BEGAN + HOUR };
  const limits = { from: BEGAN - HOUR, until: BEGAN + 1.25 * HOUR };
  assert.deepEqual(zoomed(axis, BEGAN + HOUR / 4, 1, limits), { from: BEGAN + HOUR / 8, until: BEGAN + HOUR * 5 / 8 });
  assert.deepEqual(zoomed(axis, BEGAN + HOUR / 2, -1, limits), { from: BEGAN - HOUR * 0.75, until: BEGAN + HOUR * 1.25 });
  assert.deepEqual(zoomed(axis, BEGAN, -1, { from: BEGAN, until: BEGAN + 3 * HOUR }), { from: BEGAN, until: BEGAN + 2 * HOUR });
  assert.equal(zoomed(axis, BEGAN + HOUR / 2, -1, axis), null, 'nothing lies beyond');
  assert.equal(zoomed({ from: BEGAN, until: BEGAN + NEAREST_MS * 1.5 }, BEGAN, 1, limits), null, 'nothing is nearer');
});

test('a mark gives way by its own width, and a word has room beside marks', () => {
  const scale = new TimeScale(BEGAN, BEGAN + HOUR, 600);
  const mark = (/** @type {number} */ second, /** @type {any} */ kind) => ({ at: BEGAN + second * 1_000, kind, record: '', text: '', n: 1 });
  const marks = melt([mark(1_800, 'C'), mark(1_805, 'X')], scale, BEGAN + HOUR);
  assert.deepEqual(marks.map(({ kind, x }) => [kind, Math.round(x)]), [['C', 280], ['X', 294]]);
  // From 290 on a word would lie under the second one.
  assert.deepEqual([wordAt(290, 400, marks), wordAt(320, 400, marks), wordAt(290, 330, marks)], [marks[1].x + marks[1].width + 3, 320, null]);
});

test('a deploy is a change in its bin, and what has no lane is another one', () => {
  const made = [BEGAN + 61_000];
  const data = histogram([bin({ change: 1, other: 3 }), bin({ other: 3 })]);
  const { bars } = barsOf(data, new TimeScale(BEGAN, BEGAN + 120_000, 400), { above: 50, below: 16 }, undefined, made);
  assert.deepEqual(bars.map(({ kind, n }) => [kind, n]), [['change', 1], ['routine', 3], ['change', 1], ['routine', 2]]);
  assert.deepEqual([contents(data, BEGAN + 60_000, BEGAN + 120_000, made), contents(data, BEGAN, BEGAN + 60_000, made), contents(data, BEGAN, BEGAN + 120_000, made)],
    ['1 changed, 2 routine', '1 other change, 3 routine', '1 changed, 1 other change, 5 routine']);
});

test('what neighbours deployed near an incident is told, nearest first, and neither jobs nor itself', () => {
  const service = (/** @type {string} */ key, /** @type {number} */ second, /** @type {any} */ more = {}) => ({
    key, source: 'prod-1', project: null, role: 'service', containers: [], folded: 0, spans: [[iso(-3_000), iso(second), 'running', 0], [iso(second), null, 'running', 0]],
    marks: [[iso(-2_900), 'start', 'a-1', null, 0], [iso(second), 'create', `a-${second}`, 'web:4', 0]], ...more,
  });
  const incident = /** @type {any} */ ({ start: iso(0), end: iso(60), source: 'prod-1', subjects: [{ key: 'api' }] });
  const lanes = [service('front', -30), service('late', 61), service('old', -601), service('api', -5), service('cron', -5, { role: 'job' }), service('other', -5, { source: 'prod-2' }), service('db', 20)];
  assert.deepEqual(deploysNear(incident, lanes).map(({ key, at, record }) => [key, (at - BEGAN) / 1_000, record]), [['front', -30, 'a--30'], ['db', 20, 'a-20']]);
  const many = Array.from({ length: 9 }, (_, n) => service(`s${n}`, -100 + n));
  assert.deepEqual(deploysNear(incident, many).map(({ key }) => key), ['s4', 's5', 's6', 's7', 's8']);
  assert.equal(deploysNear(incident, many).length, MAX_TOLD);
  const names = Array.from({ length: MAX_RAN_ON + 2 }, (_, n) => `c${n}`);
  assert.deepEqual([someOf([]), someOf(names.slice(0, 2)), someOf(names.slice(0, MAX_RAN_ON)).includes('more'), someOf(names).endsWith('c7 and 2 more')], ['no other container', 'c0, c1', false, true]);
});
