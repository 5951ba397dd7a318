// Parts of the page that judge and count: causes of deaths, gaps, the server's clock, the part of the log that is held,
// the hub of the shared worker. Without a browser.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { endWords, exitWords } from '../../src/ui/exits.js';
import { describe as describeRecord, printable, severity } from '../../src/ui/format.js';
import { gapOf, gapText, lossText } from '../../src/ui/gaps.js';
import { Held, MAX_ITEMS } from '../../src/ui/held.js';
import { replaceTerm } from '../../src/ui/hosts.js';
import { Hub } from '../../src/ui/hub.js';
import { makeItem, parseRecord } from '../../src/ui/items.js';
import { ServerClock } from '../../src/ui/serverclock.js';
import { indent } from '../../src/ui/message.js';
import { splitPage } from '../../src/ui/verbatim.js';
import { asText, sentence } from '../../src/ui/words.js';

const BEGAN = Date.parse('2026-11-22T03:00:00Z');
/** @param {number} seq @param {string} Action @param {Record<string, string>} [attributes] @param {any} [more] */
function record(seq, Action, attributes = {}, more = {}) {
  const time = new Date(BEGAN + seq * 100).toISOString();
  const event = { Type: more.type ?? 'container', Action, Actor: { ID: 'c1', Attributes: { name: 'api', ...attributes } } };
  return { id: `7f3c9a1e-${seq}`, seq, time, received: time, source: 'local', ...more.marks, event };
}
const item = (/** @type {any} */ made) => makeItem(JSON.stringify(made));
/** @param {any[]} records @returns {string[]} severity of each */
function severities(records) {
  const held = new Held();
  held.append(records.map(item));
  return held.shown.filter((row) => 'line' in row).map((row) => severity(parseRecord(row.line), row.end));
}

test('a death is judged by its cause: asked for, out of memory, or a crash', () => {
  assert.deepEqual(severities([record(1, 'kill', { signal: '15' }), record(2, 'die', { exitCode: '137' }), record(3, 'stop')]), ['plain', 'plain', 'plain']);
  // What had to be killed is told from what was killed at once.
  assert.deepEqual(severities([record(1, 'kill', { signal: '15' }), record(90, 'kill', { signal: '9' }), record(91, 'die', { exitCode: '137' })]).at(-1), 'warn');
  assert.deepEqual(severities([record(1, 'oom'), record(2, 'die', { exitCode: '137' })]), ['oom', 'oom']);
  assert.deepEqual(severities([record(1, 'die', { exitCode: '137' })]), ['bad']);
  assert.deepEqual(severities([record(1, 'die', { exitCode: '0' }), record(2, 'die', { exitCode: '143' })]), ['plain', 'plain']);
  // A reload is no request to end, and a start ends what was asked before it.
  assert.deepEqual(severities([record(1, 'kill', { signal: '1' }), record(2, 'die', { exitCode: '1' })]).at(-1), 'bad');
  assert.deepEqual(severities([record(1, 'kill', { signal: '15' }), record(2, 'die', { exitCode: '0' }), record(3, 'start'), record(4, 'die', { exitCode: '1' })]).at(-1), 'bad');
  // The `stop` that Docker says right after tells as well.
  assert.deepEqual(severities([record(1, 'die', { exitCode: '1' }), record(2, 'stop')]), ['plain', 'plain']);
});

test('what the filter hides of a death is taken into account', () => {
  const held = new Held();
  const died = item(record(7, 'die', { exitCode: '137' }));
  held.append([died]);
  assert.equal(died.end.why, '');
  held.judgeBy([{ seq: 5, at: BEGAN + 500, action: 'kill', actor: 'c1', signal: '9' }]);
  assert.equal(died.end.why, 'killed');
});

/** What became of those that ended, in the words of a row. @param {any[]} records */
function ends(records) {
  const held = new Held();
  held.append(records.map(item));
  return held.shown.flatMap((row) => ('line' in row && parseRecord(row.line).event.Action === 'die' ? [endWords(row.end)] : []));
}
/** @param {number} seq @param {string} action @param {string} id @param {Record<string, string>} [attributes] */
const of = (seq, action, id, attributes = {}) => {
  const made = record(seq, action, { image: 'acme/web:3', ...attributes });
  made.event.Actor.ID = id;
  return made;
};

test('an end says whether it was obeyed, killed, replaced, or killed by something else', () => {
  const died = { exitCode: '137' };
  assert.deepEqual(ends([of(1, 'kill', 'a', { signal: '15' }), of(101, 'kill', 'a', { signal: '9' }), of(102, 'die', 'a', died)]), ['did not stop in 10 s and was killed']);
  assert.deepEqual(ends([of(1, 'kill', 'a', { signal: '15' }), of(2, 'die', 'a', { exitCode: '143' })]), ['stopped as asked']);
  assert.deepEqual(ends([of(1, 'kill', 'a', { signal: '9' }), of(2, 'die', 'a', died)]), ['killed as asked']);
  // Made again after it had gone, or before it was stopped, as Compose does.
  assert.deepEqual(ends([of(1, 'kill', 'a', { signal: '9' }), of(2, 'die', 'a', died), of(3, 'create', 'b', { image: 'acme/web:4' })]), ['replaced by acme/web:4']);
  const web = { 'com.docker.compose.project': 'shop', 'com.docker.compose.service': 'web', 'com.docker.compose.container-number': '1' };
  assert.deepEqual(ends([of(1, 'start', 'a', web), of(20, 'create', 'b', { ...web, name: 'a_web', image: 'acme/web:4' }), of(21, 'kill', 'a', { ...web, signal: '15' }), of(130, 'kill', 'a', { ...web, signal: '9' }), of(131, 'die', 'a', { ...web, ...died })]),
    ['did not stop in 11 s and was killed; replaced by acme/web:4']);
  // Only where its whole life is known is it known that nobody asked.
  assert.deepEqual(ends([of(1, 'die', 'a', died)]), ['']);
  assert.deepEqual(ends([of(1, 'start', 'a'), of(2, 'die', 'a', died)]), ['killed from outside Docker, or by itself']);
  assert.deepEqual(ends([of(1, 'start', 'a'), of(2, 'oom', 'a'), of(3, 'die', 'a', died)]), ['out of memory']);
  // Another name is another one.
  assert.deepEqual(ends([of(1, 'kill', 'a', { signal: '9' }), of(2, 'die', 'a', died), of(3, 'create', 'b', { name: 'other' })]), ['killed as asked']);
});

test('what a death is judged by comes first in its row', () => {
  const details = (/** @type {import('../../src/ui/cause.js').Why} */ why) => describeRecord(record(1, 'die', { exitCode: '137' }), { why }).details;
  assert.deepEqual([details('asked'), details('oom'), details('')], ['stopped as asked · exit 137: killed by SIGKILL', 'out of memory · exit 137: killed by SIGKILL', 'exit 137: killed by SIGKILL']);
});

test('exit codes in words', () => {
  assert.equal(exitWords('137'), '137: killed by SIGKILL');
  assert.equal(exitWords('127'), '127: its command was not found');
  for (const plain of ['3', 'constructor', '']) assert.equal(exitWords(plain), plain);
});

const GAP = { reason: 'ring-overflow', from: '2026-11-22T03:10:00Z', until: '2026-11-22T03:13:00Z' };

test('gaps are told apart from the beginning of the recording, and from what a daemon says', () => {
  const gap = gapOf(record(1, 'gap', GAP, { type: 'recorder' }));
  assert.ok(gap);
  assert.match(gapText(gap), /Events may be missing: 3 min/);
  assert.match(lossText([gap], '').text, /may have missed 3 min at/);
  assert.equal(lossText([gap], '').level, 'missed');
  const first = gapOf(record(1, 'gap', { reason: 'first-contact', until: GAP.until }, { type: 'recorder' }));
  assert.ok(first);
  assert.deepEqual([lossText([first], 'in 24 h').level, /no gap since it began at/.test(lossText([first], 'in 24 h').text)], ['whole', true]);
  assert.equal(gapOf(record(1, 'gap', GAP, { type: 'recorder', marks: { foreign: true } })), null);
  assert.equal(severity(record(1, 'disconnect', {}, { type: 'recorder', marks: { foreign: true } })), 'plain');
});

test('the clock of the server: a difference that the way explains is none', () => {
  const clock = new ServerClock();
  clock.heard('Sun, 22 Nov 2026 03:00:00 GMT', BEGAN + 900, BEGAN + 1_100);
  assert.equal(clock.offset, 0);
  const other = new ServerClock();
  other.heard('Sun, 22 Nov 2026 03:00:00 GMT', BEGAN - 3_600_000, BEGAN - 3_599_900);
  assert.ok(Math.abs(other.offset - 3_600_000) < 1_000, String(other.offset));
  other.heard(null, 0, 0);
  assert.ok(other.offset > 0);
  // That of a log that nobody writes stands at its end.
  other.end = BEGAN;
  assert.deepEqual([other.isStopped, other.now(BEGAN + 9e9)], [true, BEGAN]);
});

test('what is held is bounded, and says where something is left', () => {
  const held = new Held();
  const many = Array.from({ length: MAX_ITEMS + 1 }, (_, n) => item(record(n + 10_000, 'start')));
  held.complete = { older: true, newer: true };
  const { removed } = held.append(many);
  assert.ok(removed > 0 && held.records <= MAX_ITEMS);
  assert.deepEqual(held.complete, { older: false, newer: true });
  const rows = held.prepend([item(record(9_000, 'start'))]);
  assert.equal(rows, 1);
  held.drop('newer');
  assert.deepEqual(held.complete, { older: false, newer: false });
  assert.equal(held.oldest?.seq, 9_000);
});

test('a gap that the filter hides has its place, once', () => {
  const held = new Held();
  held.append([1, 5, 9].map((seq) => item(record(seq, 'start'))));
  const gap = { ...item(record(6, 'gap', GAP, { type: 'recorder' })), strayed: true };
  assert.equal(held.insert([gap]), true);
  assert.equal(held.insert([gap]), false);
  assert.deepEqual(held.shown.flatMap((row) => ('seq' in row ? [row.seq] : [])), [1, 5, 6, 9]);
  assert.deepEqual(held.ids().length, 3);
  // The same record as an answer of its own takes its place.
  held.append([item(record(6, 'gap', GAP, { type: 'recorder' }))]);
  assert.equal(held.shown.filter((row) => 'seq' in row && row.seq === 6).length, 1);
});

test('no record makes the page throw', () => {
  const hostile = [
    '{"id":"7f3c9a1e-1","seq":1,"time":"x","event":null}',
    '{"id":"7f3c9a1e-1","seq":1,"time":"2026-11-22T03:00:00Z","event":{"Type":7,"Action":{"a":1},"Actor":{"ID":9,"Attributes":{"name":5,"exitCode":1e999,"signal":[],"from":1}}}}',
    '{"id":"7f3c9a1e-1","seq":1,"time":"2026-11-22T03:00:00Z","event":{"Type":"recorder","Action":"gap","Actor":{"Attributes":{"from":3,"until":{},"reason":1}}}}',
    '{"id":"7f3c9a1e-1","seq":1,"time":"2026-11-22T03:00:00Z","event":{"Type":"recorder","Action":"constructor","Actor":"x"}}',
    '{"id":"7f3c9a1e-1","seq":1,"event":{broken',
    `{"id":"7f3c9a1e-1","seq":1,"event":{"a":${'['.repeat(200_000)}${']'.repeat(200_000)}}}`,
  ];
  for (const line of hostile) {
    const parsed = parseRecord(line);
    makeItem(line);
    describeRecord(parsed);
    assert.ok(sentence(parsed).length > 0 && asText(parsed).length > 0);
    indent(line);
  }
});

test('what cannot be seen is shown, and what was cut says so', () => {
  assert.equal(printable('a\u202eb\u0000\tc'), 'a\\u202eb\\u0000\\tc');
  const { details } = describeRecord(record(1, 'die', {}, { marks: { cut: { bytes: 2_000_000 } } }));
  assert.match(details, /only the head is kept of 2,000,000 bytes/);
  assert.match(sentence(record(1, 'die', { exitCode: '137' }, { marks: { cut: { bytes: 5 } } })), /^api ended, exit code 137: killed by SIGKILL\. The message was 5 bytes/);
  assert.match(sentence(record(1, 'observed', { kind: 'container', was: 'running', state: 'exited', exitCode: '3' }, { type: 'recorder' })), /the container api was running and is exited, exit code 3/);
});

test('a filter button replaces what was there for its key', () => {
  assert.equal(replaceTerm('type=container container=a -container=x event=die', 'container', 'b c'), 'type=container -container=x event=die container="b c"');
  assert.equal(replaceTerm('source=a', 'source', ''), '');
});

test('an answer keeps the text of its gaps, too', () => {
  const gap = '{"id":"7f3c9a1e-2","event":{"timeNano":1795344577148160810}}';
  const { incomplete, envelope } = splitPage(`{"records":[{"a":1}],"page":{"next":null},"incomplete":[${gap}],"folded":3}`);
  assert.deepEqual([incomplete, envelope.folded, envelope.page], [[gap], 3, { next: null }]);
});

/** A hub over connections that the test feeds. */
function staged() {
  /** @type {{after: string|null, handlers: any, isOpen: boolean}[]} */
  const links = [];
  const hub = new Hub((_, after, handlers) => {
    const link = { after, handlers, isOpen: false };
    links.push(link);
    return { open: () => { link.isOpen = true; }, close: () => { link.isOpen = false; } };
  });
  return { hub, links };
}
const say = (/** @type {any} */ link, /** @type {string} */ kind, /** @type {number} */ seq) =>
  link.handlers.onFrame({ kind, id: `7f3c9a1e-${seq}`, text: JSON.stringify({ log: '7f3c9a1e-…', after: seq, head: seq }) });
function tab() {
  const heard = /** @type {string[]} */ ([]);
  return { heard, onState: () => {}, onFrame: (/** @type {any} */ { kind, id }) => heard.push(`${kind} ${id.split('-')[1]}`) };
}

test('tabs share one stream, and each has every record once, whenever it joins', () => {
  const { hub, links } = staged();
  const [one, ahead, late, away] = [tab(), tab(), tab(), tab()];
  const leave = hub.join({}, '7f3c9a1e-10', one);
  say(links[0], 'hello', 10);
  say(links[0], 'record', 11);
  hub.join({}, '7f3c9a1e-12', ahead);
  say(links[0], 'record', 12);
  say(links[0], 'record', 13);
  say(links[0], 'caught-up', 13);
  hub.join({}, '7f3c9a1e-11', late);
  assert.equal(links.length, 1);
  assert.deepEqual(ahead.heard.filter((text) => text.startsWith('record')), ['record 13']);
  assert.deepEqual(late.heard, ['hello 11', 'record 12', 'record 13', 'caught-up 13']);
  // One that was away for longer catches up by itself, and is then with the others.
  hub.join({}, '7f3c9a1e-5', away);
  assert.deepEqual([links.length, links[1].after], [2, '7f3c9a1e-5']);
  say(links[1], 'hello', 5);
  for (const seq of [6, 13]) say(links[1], 'record', seq);
  say(links[0], 'record', 14);
  say(links[1], 'caught-up', 13);
  assert.equal(links[1].isOpen, false);
  say(links[0], 'record', 15);
  assert.deepEqual(away.heard.filter((text) => text.startsWith('record')), ['record 6', 'record 13', 'record 14', 'record 15']);
  // Whoever opened it may close; the others stay.
  leave();
  assert.equal(links[0].isOpen, true);
  say(links[0], 'record', 16);
  assert.deepEqual([late.heard.at(-1), one.heard.at(-1)], ['record 16', 'record 15']);
});

test('a tab that joins before the stream is open, and is behind its beginning, misses nothing', () => {
  const { hub, links } = staged();
  const [first, ahead, behind] = [tab(), tab(), tab()];
  hub.join({}, '7f3c9a1e-10', first);
  hub.join({}, '7f3c9a1e-12', ahead);
  hub.join({}, '7f3c9a1e-7', behind);
  assert.deepEqual(links.map(({ after }) => after), ['7f3c9a1e-10', '7f3c9a1e-7']);
  say(links[0], 'hello', 10);
  for (const seq of [11, 12, 13]) say(links[0], 'record', seq);
  say(links[1], 'hello', 7);
  for (const seq of [8, 9, 10, 11]) say(links[1], 'record', seq);
  say(links[1], 'caught-up', 11);
  say(links[0], 'record', 14);
  assert.deepEqual(behind.heard, ['hello 7', ...[8, 9, 10, 11].map((seq) => `record ${seq}`), 'caught-up 11', 'record 12', 'record 13', 'record 14']);
  assert.deepEqual(ahead.heard, ['hello 12', 'record 13', 'record 14']);
  assert.equal(links[1].isOpen, false);
});

test('a tab that has caught up before the stream is open is greeted once', () => {
  const { hub, links } = staged();
  const [first, behind] = [tab(), tab()];
  hub.join({}, '7f3c9a1e-10', first);
  hub.join({}, '7f3c9a1e-7', behind);
  say(links[1], 'hello', 7);
  for (const seq of [8, 9, 10, 11]) say(links[1], 'record', seq);
  say(links[1], 'caught-up', 11);
  assert.equal(links[1].isOpen, true, 'nobody knows yet where the stream begins');
  say(links[0], 'hello', 10);
  for (const seq of [11, 12]) say(links[0], 'record', seq);
  assert.deepEqual(behind.heard, ['hello 7', ...[8, 9, 10, 11].map((seq) => `record ${seq}`), 'caught-up 11', 'record 12']);
  assert.deepEqual(first.heard, ['hello 10', 'record 11', 'record 12']);
  assert.equal(links[1].isOpen, false);
});

test('another filter has another stream, and the last tab closes its own', () => {
  const { hub, links } = staged();
  const leave = hub.join({ filters: '{}' }, null, tab());
  const leaveOther = hub.join({}, null, tab());
  assert.deepEqual([links.length, hub.size], [2, 2]);
  leave();
  assert.deepEqual([links[0].isOpen, links[1].isOpen, hub.size], [false, true, 1]);
  leaveOther();
  assert.equal(hub.size, 0);
});
