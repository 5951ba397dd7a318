// The course of an incident, one row a turn: loops are one row already as the server tells them.

import { h } from './dom.js';
import { clock, fullTime, printable } from './format.js';
import { lengthText, plain } from './incident-words.js';
import { millis } from './timespan.js';

/** @typedef {import('./incident-words.js').Incident} Incident */

/** Each kind has a letter and a word. @type {Record<string, [string, string]>} */
export const MARKS = {
  failure: ['X', 'failed'], oom: ['M', 'out of memory'], health: ['H', 'unhealthy'], change: ['C', 'changed'], deaf: ['K', 'asked to stop, did not, was killed'], stop: ['P', 'stopped as asked or replaced'], recorder: ['?', 'not known'],
};

/** @param {string} what @returns {Node} */
export function markOf(what) {
  const [letter, word] = MARKS[what] ?? ['', ''];
  return h('span.mk', { data: { what: letter ? what : '' }, title: word, 'aria-hidden': 'true' }, letter);
}

/** @param {string} text */
function stepText(text) {
  const [main, ...others] = plain(text).split('; ');
  const more = /^… (\d+) more times: (.*)$/.exec(main);
  // The cause says it already.
  const rest = others.filter((part) => !/no signal was sent/.test(part));
  return { main: more ? `${more[2].split(', ')[0]}, ${more[1]} more times` : main, rest: rest.join('; ') };
}

/** A subject is cut to its own name where all are of one project. @param {Incident} incident @returns {(key: string) => string} */
export function shortNames({ subjects }) {
  const project = (/** @type {string} */ key) => key.slice(0, key.indexOf('/') + 1);
  const [first] = subjects;
  const isOne = first && project(first.key) !== '' && subjects.every(({ key }) => project(key) === project(first.key));
  return (key) => printable(isOne ? key.slice(project(key).length) : key);
}

/**
 * @param {Incident} incident @param {import('./diff.js').RecordLink} link @param {number} now
 * @returns {Node}
 */
export function timelineOf(incident, link, now) {
  const { timeline = [], start, end, state, severity, next_start: next, known } = incident;
  const began = millis(start);
  const name = shortNames(incident);
  // A notice is of one moment.
  const hasEnd = state === 'closed' && severity !== 'notice' && end !== null;
  const row = (/** @type {string} */ time, /** @type {string} */ offset, /** @type {Node|string} */ at, /** @type {string} */ what, .../** @type {any[]} */ words) => h('li', { data: { what } },
    h('time', { dateTime: time, title: fullTime(time) }, at), h('span.offset', {}, offset), markOf(what), h('div', {}, ...words));
  const rows = timeline.map(({ time, record, what, subject, text, folded }) => {
    const { main, rest } = stepText(text);
    const shift = millis(time) - began;
    // Well again is no trouble, and what Compose renames or removes on the way to another container is no change of its own.
    const isPlain = (what === 'health' && /became healthy/.test(text)) || (what === 'change' && /^was (renamed|removed)/.test(text));
    const isEnd = hasEnd && time === end;
    const at = clock(time).slice(0, 8);
    const mark = what === 'stop' && /did not stop in/.test(text) ? 'deaf' : what;
    return row(time, offsetText(shift), record ? link(record, at, `record ${record}`) : at, isPlain ? '' : mark,
      subject && h('b', {}, name(subject)), ` ${main}`, isEnd && h('b', {}, ': end of the incident'), rest && h('p.soft', {}, rest),
      folded > 0 && record && h('p.soft', {}, `${folded + 1} records in one row`));
  });
  if (hasEnd && end && !timeline.some(({ time }) => time === end)) rows.push(row(end, offsetText(millis(end) - began), clock(end).slice(0, 8), '', h('b', {}, 'End of the incident')));
  if (state !== 'closed' && next && millis(next) > now) rows.push(row(next, `in ${lengthText(millis(next) - now)}`, clock(next).slice(0, 8), '', 'the daemon starts it again, as far as its waits tell'));
  return h('div', {}, h('ol.steps', {}, rows), h('p.soft', {}, `The events told of it at `, clock(known).slice(0, 8), `, ${lengthText(millis(known) - began)} after it began.`));
}

/** @param {number} ms */
function offsetText(ms) {
  if (Math.abs(ms) < 50) return '+0 s';
  const size = Math.abs(ms);
  const text = size < 9_950 ? `${(size / 1_000).toFixed(1)} s` : lengthText(size);
  return `${ms < 0 ? '−' : '+'}${text}`;
}
