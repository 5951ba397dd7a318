// Incidents in words, the address of a view, and the ways out, without a browser.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseFilter } from '../../src/ui/filter.js';
import { byWeight, headline, shortTitle } from '../../src/ui/headline.js';
import { countText, inOrder, isAbout, isRolledBack, lengthText, outcome, plain, plannedText, runsOf, sentenceParts, subjectText, world } from '../../src/ui/incident-words.js';
import { evidenceAddress, incidentCommands, linksOut, quoted, viewCommands } from '../../src/ui/outs.js';
import { triedOf } from '../../src/ui/tried.js';
import { whatIsSaid } from '../../src/ui/unsaid.js';
import { rangeText, stateText } from '../../src/ui/status.js';
import { bounds, isOnIncident, isRelative, readView, shifted, tabOf, viewAddress } from '../../src/ui/view.js';

const START = '2026-11-29T01:34:16.545754838Z';
/** @param {any} [more] */
const incident = (more = {}) => ({
  id: '5ba08de8-42c', revision: 3, kind: 'crash-loop', severity: 'major', state: 'closed', resolution: 'redeployed', down: false,
  title: 'shop/api crashed 9 times in 39 s: exit 1 after deploy: image r.example/acme/api:7 -> r.example/acme/api:8; config-hash fdc96273 -> 890faee8; and 2 more',
  source: 'prod-1', subject: 'shop/api', subjects: [{ key: 'shop/api', role: 'root' }], containers: ['3af00d68ec7b'], start: START, end: '2026-11-29T01:35:02.320273280Z',
  known: START, next_start: null, first: '5ba08de8-42', last: '5ba08de8-81', counts: { deaths: 9, oom: 0, unhealthy: 0, exit: { 1: 9 } },
  cause: [{ kind: 'deploy', record: '5ba08de8-37', time: '2026-11-29T01:34:15.044Z', text: 'deploy: …', changes: [{ what: 'image', from: 'acme/api:7', to: 'acme/api:8' }] }],
  actions: [{ record: '5ba08de8-78', time: '2026-11-29T01:35:01.790Z', what: 'recreate', changes: [{ what: 'image', from: 'acme/api:8', to: 'acme/api:7' }] }],
  evidence: [], evidence_more: 0, confidence: 'complete', qualified: [], ...more,
});
const CASCADE = {
  kind: 'cascade', severity: 'critical', state: 'open', resolution: null, down: true, end: null, cause: [], actions: [], subject: 'orders/db',
  title: 'orders/db crashed: exit 137 (SIGKILL), not through Docker\'s API and with no oom told; it stays down; then, on the same network, orders/api crashed 9 times: exit 11',
  subjects: [{ key: 'orders/db', role: 'root' }, { key: 'orders/api', role: 'affected' }, { key: 'orders/web', role: 'affected' }],
};

test('an incident is a sentence with a verb', () => {
  assert.equal(headline(incident()), 'shop/api crashed 9 times in 39\u00a0s after a deploy, until it was rolled back.');
  assert.equal(headline(incident(CASCADE)), 'orders/db crashed and is down; then api and web failed.');
  assert.equal(headline(incident({ ...CASCADE, kind: 'mass', title: '10 subjects failed within 1 s: exit 1; the daemon was not restarted', down: false })), '10 containers failed within 1\u00a0s while the daemon ran on.');
  assert.equal(headline(incident({ ...CASCADE, kind: 'host', subject: 'prod-1', title: 'the daemon or the host went away without stopping its containers; 6 containers ended' })), 'The daemon or the host went away without stopping its containers.');
  assert.equal(headline(incident({ title: 'pg crashed 8 times: exit 3 after volume pgdata removed', subject: 'pg', resolution: 'removed', actions: [], cause: [{ kind: 'volume', record: '', time: START, text: 'volume pgdata removed' }] })),
    'pg crashed 8 times after volume pgdata removed, and was removed.');
});

test('a row tells the fact apart from the rest, without what nobody can read', () => {
  assert.deepEqual(sentenceParts(incident()), { fact: 'Crashed 9 times in 39\u00a0s: exit 1', rest: ' after deploy: image r.example/acme/api:7 → 8; and 2 more' });
  assert.equal(sentenceParts(incident(CASCADE)).rest.startsWith(', not by Docker and not for memory; it stays down'), true);
  assert.equal(subjectText(incident({ ...CASCADE, kind: 'mass' })), 'orders/api … orders/web');
  assert.equal(shortTitle('graph crashed 5 times: exit 101 after deploy: image a:1 -> b:2'), 'graph crashed 5 times: exit 101');
  assert.equal(headline(incident({ severity: 'notice', resolution: null, cause: [], title: 'cron did not stop in time: SIGKILL 2 s after it was told to stop', subject: 'cron', subjects: [] })), 'cron did not stop in time: SIGKILL 2\u00a0s after it was told to stop.');
  // Another image altogether keeps its name, and nothing that cannot be seen gets through.
  assert.equal(plain('image a:1 -> b:2'), 'image a:1 → b:2');
  assert.equal(plain('api\u202e crashed'), 'api\\u202e crashed');
});

test('what events do not say is said at once, with what they do say', () => {
  const exit = { kind: 'exit-code', record: '5ba08de8-42', time: START, text: 'exit 1' };
  const known = { recorded: Date.parse('2026-11-29T01:00:00Z'), words: 0 };
  const said = whatIsSaid(incident({ cause: [exit] }), known);
  assert.deepEqual(said, ['exit 1: an error code of its own program', 'nothing of its own was changed in the 10 min before', 'what it printed last is not recorded: docker logs 3af00d68ec7b on its host may say more']);
  assert.match(whatIsSaid(incident({ cause: [{ ...exit, kind: 'signal', text: 'exit 137 (SIGKILL): no signal was sent' }], counts: { deaths: 1, oom: 0, unhealthy: 0, exit: { 137: 1 } } }), known)[0], /killed from outside Docker, or by itself/);
  assert.match(whatIsSaid(incident({ cause: [exit] }), { ...known, words: 1 }).at(-1) ?? '', /is below/);
  // What came before it may be why, a lack of memory is why, and a notice asks nobody.
  for (const more of [{}, { cause: [{ ...exit, kind: 'oom' }] }, { cause: [{ ...exit, kind: 'created' }, exit] }, { cause: [exit], severity: 'notice' }]) assert.deepEqual(whatIsSaid(incident(more), known), []);
});

test('how it ended', () => {
  assert.equal(outcome(incident(), 0), 'rolled back after 46 s');
  assert.equal(isRolledBack(incident({ actions: [] })), false);
  assert.equal(outcome(incident({ actions: [] }), 0), 're-created after 46 s');
  assert.equal(outcome(incident({ state: 'open' }), 0), 'open');
  assert.equal(outcome(incident({ resolution: 'removed', end: '2026-11-29T01:50:18Z' }), 0), 'never recovered; removed after 16 min');
  for (const [ms, text] of /** @type {[number, string][]} */ ([[400, 'under 1 s'], [46_000, '46 s'], [62_000, '1 min 2 s'], [960_000, '16 min'], [5 * 3.6e6 + 180_000, '5 h 3 min'], [86.4e6 * 3, '3 days'], [Number.NaN, 'some time']])) assert.equal(lengthText(ms), text);
});

test('open comes first, then the worst, then the newest', () => {
  const all = [['a', 'critical', 'closed', '1'], ['b', 'minor', 'open', '2'], ['c', 'major', 'recovering', '3'], ['d', 'critical', 'closed', '4']]
    .map(([id, severity, state, start]) => incident({ id, severity, state, start }));
  assert.deepEqual(inOrder(all).map(({ id }) => id), ['c', 'b', 'd', 'a']);
  assert.deepEqual(world(all), { head: '2 incidents are open', sub: '2 closed · 2 critical', open: 2 });
  assert.deepEqual(world([]), { head: 'Nothing is open', sub: 'no incident', open: 0 });
  assert.equal(world(all.slice(0, 2)).head, '1 incident is open');
});

test('what was planned is counted', () => {
  const classes = ['failure', 'oom', 'health', 'stop', 'start', 'change', 'exec', 'probe', 'other', 'recorder'];
  assert.equal(plannedText({ classes, bins: [[0, 0, 0, 1, 2, 0, 0, 600, 0, 0], [0, 0, 0, 2, 0, 0, 0, 636, 0, 0]] }), '3 stops and ended jobs, 2 starts, 412 probes folded');
  assert.equal(plannedText({ classes, bins: [] }), '');
});

test('a filter on hosts, projects and services also holds for incidents', () => {
  const about = (/** @type {string} */ q) => isAbout(incident(), parseFilter(q).terms);
  for (const q of ['', 'source=prod-1', 'project=shop service=api', 'event=die', '-source=other']) assert.ok(about(q), q);
  for (const q of ['source=other', 'project=orders', 'service=db', '-project=shop']) assert.ok(!about(q), q);
});

test('an address holds the whole view, and nothing that is none', () => {
  const text = '?v=incidents&q=project%3Dshop&since=2026-11-29T01%3A00%3A00Z&until=2026-11-29T02%3A00%3A00Z&sel=2026-11-29T01%3A10%3A00Z%2C2026-11-29T01%3A20%3A00Z&i=5ba08de8-42c&record=5ba08de8-50&noise=1';
  const view = readView(text);
  assert.equal(viewAddress(view), text);
  assert.deepEqual(bounds(view.sel), { since: '2026-11-29T01:10:00Z', until: '2026-11-29T01:20:00Z' });
  assert.equal(readView('?v=nonsense&sel=b,a').v, '');
  assert.equal(readView('?sel=2026-11-29T01:20:00Z,2026-11-29T01:10:00Z').sel, '');
  assert.ok(isOnIncident(view) && !isOnIncident({ ...view, v: 'events' }));
  assert.deepEqual(['?', '?q=x', '?range=all', '?record=a-1', '?i=a-1c', '?q=x&v=incidents'].map((each) => tabOf(readView(each))), ['incidents', 'events', 'incidents', 'events', 'incidents', 'incidents']);
});

test('a range earlier and later', () => {
  const view = readView('?since=2026-11-29T01:00:00Z&until=2026-11-29T02:00:00Z');
  assert.deepEqual(shifted(view, -1, 0), { since: '2026-11-29T00:00:00.000Z', until: '2026-11-29T01:00:00.000Z' });
  assert.deepEqual(shifted(readView(''), -1, Date.parse('2026-11-29T02:00:00Z')), { since: '2026-11-27T02:00:00.000Z', until: '2026-11-28T02:00:00.000Z' });
  assert.equal(shifted(readView('?range=all'), 1, 0), null);
});

test('a bound that counts from now is told from one that does not', () => {
  for (const text of ['?since=15m', '?until=now-1h', '?since=2026-11-29&until=today', '?since=02:00']) assert.ok(isRelative(readView(text)), text);
  for (const text of ['', '?range=all', '?since=2026-11-29T01:00:00Z', '?since=1795344577.5&until=2026-11-29']) assert.ok(!isRelative(readView(text)), text);
});

test('the header says what is live, and counts in the singular', () => {
  assert.deepEqual([stateText('live'), stateText('live', { known: false }), stateText('live', { stored: '23:59:45' }), stateText('range', { stored: '23:59:45' }), stateText('reconnecting', { stored: '23:59:45' })],
    ['live · SSE', 'connecting…', 'stored log, until 23:59:45', 'stored log, until 23:59:45', 'reconnecting…']);
  assert.deepEqual([rangeText(1, true), rangeText(2, true), rangeText(1, false)], ['the only record', 'all 2 records', '1 record here, scroll for more']);
});

test('commands quote what a shell would read', () => {
  assert.equal(quoted("a'b c"), "'a'\\''b c'");
  assert.equal(quoted('2026-11-29T01:00:00Z'), '2026-11-29T01:00:00Z');
  const commands = viewCommands({ q: 'label="com.x=a b" -event=exec_*', since: '2026-11-29T01:00:00Z', until: '' }).map(([, command]) => command);
  assert.equal(commands[1], "shipslog query --url http://localhost --since 2026-11-29T01:00:00Z -f 'label=com.x=a b' -x 'event=exec_*'");
  assert.match(incidentCommands(incident(), 0).map(([, command]) => command).join('\n'), /shipslog report 5ba08de8-42c --url http:\/\/localhost --format markdown\n.*docker logs/s);
  const evidence = new URL(evidenceAddress(incident(), 0));
  assert.deepEqual([evidence.searchParams.get('since'), evidence.searchParams.get('filters')], ['2026-11-29T01:33:15.000Z', '{"container":["3af00d68ec7b"]}']);
});

test('links to other programs are filled in, and lead nowhere but to the web', () => {
  const templates = [{ name: 'Loki', url: 'https://grafana.example/explore?q={container}&from={since_ms}&x={unknown}' }, { name: 'bad', url: 'javascript:alert(1)' }];
  const links = linksOut(templates, incident(), 0, 'shop api/1');
  assert.deepEqual(links, [{ name: 'Loki', url: `https://grafana.example/explore?q=shop%20api%2F1&from=${Date.parse('2026-11-29T01:33:15.044Z')}&x={unknown}` }]);
});

test('several are in the plural, and what comes and goes was not saved by a restart', () => {
  const MASS = { ...CASCADE, kind: 'mass', state: 'closed', resolution: 'removed', down: false, title: '10 subjects failed within 1 s: exit 1; the daemon was not restarted' };
  assert.equal(headline(incident(MASS)), '10 containers failed within 1\u00a0s while the daemon ran on, and were removed.');
  assert.equal(headline(incident({ ...CASCADE, state: 'closed', resolution: 'removed' })), 'orders/db crashed; then api and web failed, and were removed.');
  const flapping = { title: 'checkout became unhealthy 5 times', subject: 'checkout', subjects: [{ key: 'checkout', role: 'root' }], cause: [], actions: [], resolution: 'restarted' };
  assert.equal(headline(incident({ ...flapping, kind: 'unhealthy' })), 'checkout became unhealthy 5 times, and was restarted.');
  assert.equal(headline(incident({ ...flapping, title: 'checkout crashed', kind: 'crash' })), 'checkout crashed, until it was restarted.');
});

test('a volume that is gone tells more than that its container was made again', () => {
  const causes = [{ kind: 'deploy', record: '', time: START, text: 're-created; nothing visible changed' }, { kind: 'volume', record: '', time: START, text: 'volume pgdata removed' }];
  assert.match(headline(incident({ title: 'pg crashed 8 times: exit 3', subject: 'pg', subjects: [], actions: [], cause: causes })), /^pg crashed 8 times after volume pgdata removed/);
  const seen = { ...causes[0], changes: [{ what: 'image', from: 'a:1', to: 'a:2' }] };
  assert.deepEqual(byWeight([causes[0], seen, causes[1]]), [seen, causes[1], causes[0]]);
});

test('what people tried tells what was in vain and what helped, and a restart is one act', () => {
  const act = (/** @type {number} */ seq, /** @type {number} */ second, /** @type {string} */ what) => ({ record: `5ba08de8-${seq}`, time: new Date(Date.parse(START.slice(0, 23) + 'Z') + second * 1_000).toISOString(), what });
  const step = (/** @type {number} */ seq, /** @type {string} */ what, /** @type {string} */ text) => ({ time: START, record: `5ba08de8-${seq}`, what, subject: 'shop/api', text, folded: 0 });
  const told = (/** @type {any} */ more) => triedOf(incident(more)).map(({ what, effect }) => [what, effect]);
  const actions = [act(50, 10, 'stop'), act(52, 11, 'restart'), act(70, 40, 'stop'), act(72, 41, 'recreate')];
  assert.deepEqual(told({ actions, failures: [{ record: '5ba08de8-42' }, { record: '5ba08de8-60' }] }), [['restart', 'no effect'], ['stopped and re-created', 'helped']]);
  const health = [step(30, 'health', 'became unhealthy'), step(49, 'health', 'became healthy')];
  assert.deepEqual(told({ actions: actions.slice(0, 2), resolution: 'restarted', timeline: health }), [['restart', 'it was healthy just before']]);
  assert.deepEqual(told({ actions: actions.slice(0, 2), resolution: 'restarted', timeline: [...health, step(60, 'health', 'became unhealthy')] }), [['restart', 'no effect']]);
  // A stop that nothing follows, or not soon, stays one; nothing helps who is taken away, and of what goes on nothing is known yet.
  assert.deepEqual(told({ actions: [act(50, 10, 'stop'), act(52, 100, 'restart')], state: 'open', resolution: null }), [['stop', ''], ['restart', '']]);
  assert.deepEqual(told({ actions: [act(50, 10, 'remove')], resolution: 'removed' }), [['remove', '']]);
});

test('the tab counts what is open and all', () => {
  assert.deepEqual([countText(0, 0), countText(0, 7), countText(2, 1_234), countText(0, 0, 7)], ['0', '0 open of 7', '2 open of 1,234', '0 of 7']);
});

test('notices that say the same one after the other are one line', () => {
  const all = ['etl', 'etl', 'backup', 'etl'].map((title) => incident({ title }));
  assert.deepEqual(runsOf(all).map((run) => run.length), [2, 1, 1]);
  assert.equal(runsOf([incident(), incident({ source: 'prod-2' })]).length, 2);
});
