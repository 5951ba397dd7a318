// The modules of the page that touch neither DOM nor network, without a browser.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Continuity } from '../../src/ui/continuity.js';
import { filterQuery, parseFilter, termText } from '../../src/ui/filter.js';
import { describe as describeRecord } from '../../src/ui/format.js';
import { clockProblems, loggedOut, problemsOf, unreachable } from '../../src/ui/health.js';
import { eventText, indent } from '../../src/ui/message.js';
import { Meter, toMs } from '../../src/ui/meter.js';
import { ReplayClock } from '../../src/ui/replay.js';
import { millis, toInstant, toRange } from '../../src/ui/timespan.js';
import { splitPage } from '../../src/ui/verbatim.js';

const LOG = '7f3c9a1e-0000-4000-8000-000000000000';
const started = (dense = true) => {
  const c = new Continuity('7f3c9a1e-10', dense);
  c.hello({ log: LOG, after: 10 });
  return c;
};

test('filter text becomes Docker filters and exclusions', () => {
  const parsed = parseFilter('type=container event=die  event=oom -event=exec_* label="com.x=a \\"b\\""');
  assert.equal(parsed.error, null);
  assert.deepEqual(filterQuery(parsed), {
    filters: '{"type":["container"],"event":["die","oom"],"label":["com.x=a \\"b\\""]}',
    exclude: '{"event":["exec_*"]}',
  });
  assert.deepEqual(parseFilter(parsed.terms.map(termText).join(' ')), parsed);
  assert.deepEqual(filterQuery(parseFilter('  ')), {});
});

test('filter mistakes are told', () => {
  const wrong = { '=die': /not key=value/, 'exit!=': /no value/, 'colour=red': /unknown key “colour”/, 'action=die': /event=die/, 'type=': /no value/, 'label="a': /quote/ };
  for (const [text, message] of Object.entries(wrong)) assert.match(parseFilter(text).error ?? '', message);
});

test('a word alone is looked for everywhere, and exit codes other than one can be asked for', () => {
  assert.deepEqual(filterQuery(parseFilter('timeout "out of memory" exit!=0 event=exec_* project=shop -text=probe')), {
    filters: JSON.stringify({ text: ['timeout', 'out of memory'], exit: ['!=0'], event: ['exec_*'], project: ['shop'] }),
    exclude: JSON.stringify({ text: ['probe'] }),
  });
  assert.equal(parseFilter('exit!=0 "out of memory"').terms.map(termText).join(' '), 'exit!=0 text="out of memory"');
  assert.match(parseFilter('exitCode=137').error ?? '', /did you mean exit=137\?/);
});

test('a key named like a property of every object is an unknown key, not a crash', () => {
  for (const key of ['__proto__', 'constructor', 'toString']) assert.match(parseFilter(`${key}=x`).error ?? '', /unknown key/);
});

test('continuity: a dense stream with a fitting resume is proven', () => {
  const c = started();
  assert.deepEqual(c.record('7f3c9a1e-11', 11), { isNew: true, marker: null });
  c.hello({ log: LOG, after: 11 });
  assert.deepEqual(c.record('7f3c9a1e-12', 12), { isNew: true, marker: null });
  assert.equal(c.reached('7f3c9a1e-12'), null);
  assert.deepEqual([c.resumes, c.missed, c.gaps, c.resets, c.resumedAfter], [1, 0, 0, 0, '7f3c9a1e-11']);
});

test('continuity: a hole, a repeat and a silent jump are seen', () => {
  const c = started();
  assert.match(c.record('7f3c9a1e-14', 14).marker?.text ?? '', /missed · 11…13/);
  assert.equal(c.record('7f3c9a1e-14', 14).isNew, false);
  c.hello({ log: LOG, after: 20 });
  assert.match(c.record('7f3c9a1e-21', 21).marker?.text ?? '', /missed · 15…20/);
  assert.deepEqual([c.missed, c.repeated, c.difference], [9, 1, 'resumed after 20, this page had 14']);
});

test('continuity: what the server tells is a gap or a reset, not missed', () => {
  const c = started();
  c.hello({ log: LOG, after: 15 });
  assert.match(c.gap({ from: 11, to: 15, reason: 'retention' }).text, /11…15 · 5 records/);
  assert.equal(c.record('7f3c9a1e-16', 16).marker, null);
  c.hello({ log: 'aaaaaaaa-…', after: 0 });
  c.reset({ reason: 'foreign-log', requested: '7f3c9a1e-16', oldest: 1, head: 2 });
  assert.deepEqual(c.record('aaaaaaaa-1', 1), { isNew: true, marker: null });
  assert.deepEqual([c.missed, c.repeated, c.gaps, c.resets], [0, 0, 1, 1]);
});

test('continuity: under a filter sequences may jump, but not the place of a resume', () => {
  const c = started(false);
  assert.equal(c.record('7f3c9a1e-50', 50).marker, null);
  assert.equal(c.reached('7f3c9a1e-80'), null);
  c.hello({ log: LOG, after: 80 });
  assert.equal(c.record('7f3c9a1e-90', 90).marker, null);
  c.hello({ log: LOG, after: 100 });
  assert.match(c.reached('7f3c9a1e-100')?.text ?? '', /missed · 91…100/);
});

test('a page is cut into the text of its records, whatever stands in the strings', () => {
  const one = '{"id":"7f3c9a1e-1","seq":1,"source":"]}\\"{","event":{"a":"\\\\","timeNano":1795344577148160810}}';
  const two = '{"id":"7f3c9a1e-2","seq":2,"event":{"Attributes":{"x":"\\"event\\":[{"}}}';
  const { records, envelope } = splitPage(`{"records":[${one},\n${two}],"page":{"next":"abc"},"log":{"head":2}}`);
  assert.deepEqual(records, [one, two]);
  assert.deepEqual(envelope, { records: [], page: { next: 'abc' }, log: { head: 2 } });
  assert.deepEqual(splitPage('{"records":[],"page":{},"log":{}}').records, []);
  assert.equal(eventText(one), '{"a":"\\\\","timeNano":1795344577148160810}');
});

test('indenting changes blanks only', () => {
  const json = '{"a":1795344577148160810,"b":[],"c":{},"d":[1,{"e":"x: {,} \\" y"}],"f":1.0e+5}';
  const pretty = indent(json);
  assert.deepEqual(JSON.parse(pretty), JSON.parse(json));
  assert.ok(pretty.includes('1795344577148160810') && pretty.includes('1.0e+5'));
  const plain = { a: [1, [], {}, { b: 'x' }], c: null };
  assert.equal(indent(JSON.stringify(plain)), JSON.stringify(plain, null, 2));
});

test('times as people type them', () => {
  const now = Date.UTC(2026, 10, 22, 3, 0, 0, 500);
  assert.equal(toInstant('2h30m', now).value, '2026-11-22T00:30:00Z');
  assert.equal(toInstant('2026-11-22T03:10:00.123456789+01:00').value, '2026-11-22T03:10:00.123456789+01:00');
  assert.equal(toInstant('1795344577.148160810').value, '1795344577.148160810');
  assert.equal(toInstant('2026-11-22 03:10').value, new Date('2026-11-22T03:10:00').toISOString().replace('.000', ''));
  assert.equal(toInstant('').value, '');
  for (const wrong of ['lately', '10', '2026-13-45 99:99', '2026-02-30', '25:00', '10y']) assert.match(toInstant(wrong).error ?? '', /is no time/);
});

test('one grammar for times, and a range that cannot be', () => {
  const now = Date.parse('2026-11-22T12:34:56.700Z');
  for (const text of ['10m', '-10m', 'now-10m']) assert.equal(toInstant(text, now).value, '2026-11-22T12:24:56Z');
  const midnight = new Date(now);
  midnight.setHours(0, 0, 0, 0);
  assert.equal(millis(toInstant('today', now).value), midnight.getTime());
  midnight.setDate(midnight.getDate() - 1);
  assert.equal(millis(toInstant('yesterday', now).value), midnight.getTime());
  const two = new Date(now);
  two.setHours(2, 0, 0, 0);
  assert.equal(millis(toInstant('02:00', now).value), two.getTime());
  assert.match(toRange('10m', '1h', now).error ?? '', /since lies after until/);
  assert.equal(toRange('1h', '10m', now).error, null);
});

test('a record that lacks everything still has a row', () => {
  const record = { id: 'a-1', seq: 1, time: 'never', received: '', source: 'x', event: {} };
  assert.equal(describeRecord(record).clock, 'never');
  assert.equal(describeRecord({ ...record, event: { Type: 'x', Actor: { ID: 'y', Attributes: null } } }).name, 'y');
});

test('a row knows its Docker host', () => {
  const event = { Type: 'container', Action: 'die', Actor: { ID: 'y', Attributes: { exitCode: '3' } } };
  const record = { id: '7f3c9a1e-1', seq: 1, time: '2026-11-22T10:49:37Z', received: '', source: 'edge', event };
  assert.deepEqual([describeRecord(record).details, describeRecord(record).host], ['exit 3', 'edge']);
});

test('health in words', () => {
  const ok = { ready: true, sources: [{ name: 'a', state: 'connected', error: null, hint: null }], writer: { state: 'ok', error: null } };
  assert.deepEqual(problemsOf(ok), []);
  const down = { name: 'b', state: 'error', error: 'refused', hint: 'start it' };
  assert.deepEqual(problemsOf({ ...ok, sources: [...ok.sources, down] }).map(({ level, hint }) => [level, hint]), [['warn', 'start it']]);
  assert.match(problemsOf({ ...ok, ready: false, writer: { state: 'poisoned', error: 'EIO' } })[0].text, /poisoned: EIO/);
  assert.match(problemsOf({ ...ok, ready: false, writer: { state: 'full', error: '3 MiB free' } })[0].hint, /by itself/);
  assert.match(problemsOf({ ready: true, sources: [], writer: { state: 'read-only', error: null } })[0].text, /only read/);
  assert.equal(problemsOf({ ...ok, ready: false }).length, 1);
  assert.equal(loggedOut('/?q=a%3Db&since=1h').link?.href, 'login?next=%2F%3Fq%3Da%253Db%26since%3D1h');
  assert.match(unreachable('up').text, /Events still arrive/);
  const two = problemsOf({ ...ok, sources: [...ok.sources, down, { ...down, name: 'c' }] });
  assert.deepEqual([two.length, two[0].hint, two[0].more?.length], [1, 'start it', 2]);
  assert.match(two[0].text, /^2 of 3 Docker hosts are not reachable: b, c$/);
  assert.match(unreachable('down', 404).text, /in front of it says 404/);
  assert.deepEqual(clockProblems(0), []);
  assert.match(clockProblems(-90_000)[0].text, /2 min fast/);
  for (const stream of /** @type {const} */ (['down', 'unknown'])) assert.match(unreachable(stream).text, /does not answer/);
});

test('the meter counts by sequence', () => {
  const meter = new Meter(10);
  for (const seq of [11, 12, 12, 15]) meter.record({ seq, received: '2026-11-22T03:00:00.000000000Z' }, true);
  assert.deepEqual([meter.records, meter.missed, meter.repeated], [3, 2, 1]);
  assert.ok(Math.abs(toMs('1970-01-01T00:00:01.234567890Z') - 1234.56789) < 1e-6);
});

test('the clock of a replay runs on between records, stands while it is stopped, and ends with the last one', () => {
  const clock = new ReplayClock();
  clock.speed = 10;
  assert.equal(clock.time(5), null);
  clock.at('2026-11-22T10:49:37.100000001Z', 1_000);
  const began = Date.UTC(2026, 10, 22, 10, 49, 37, 100);
  assert.equal(clock.time(1_200), began + 2_000);
  clock.stop(1_200);
  assert.equal(clock.time(9_000), began + 2_000);
  clock.speed = 100;
  clock.at('2026-11-22T10:49:40.100000000Z', 9_000);
  assert.equal(clock.time(9_005), began + 3_500);
  clock.settle();
  assert.equal(clock.time(9_999), began + 3_000);
});
