// What changed before it broke, or that nothing did, and how far back that is known.

import { h } from './dom.js';
import { clockOf, printable } from './format.js';
import { byWeight, isDaemonUp, listText } from './headline.js';
import { lengthText, plain } from './incident-words.js';
import { LOOKS_BACK_MS } from './neighbours.js';
import { millis } from './timespan.js';

/** @typedef {import('./incident-words.js').Incident} Incident */
/** @typedef {import('./incident-words.js').Change} Change */
/** @typedef {(id: string, text: string, title?: string) => Node} RecordLink */

/** Kinds of causes that are a change; the others say how it failed. */
const CHANGES = new Set(['deploy', 'created', 'network', 'volume', 'update', 'daemon']);
/** Characters from which on an image is told without its registry. */
const LONG_IMAGE = 24;
/** A program's own codes go up to here. */
export const OWN_CODES = 124;
/** Hex digits that are shown of a hash. */
const HASH_DIGITS = 8;

/** The image first, its digest next, then labels, then what nobody can read. @param {string} what */
const weight = (what) => (what === 'image' ? 0 : /^image/.test(what) ? 1 : /^label/.test(what) ? 2 : what === 'config-hash' ? 4 : 3);

/** @param {string|null} value */
function valueText(value) {
  if (value === null || value === undefined || value === '') return '–';
  return printable(value).replace(/^(sha256:)?([0-9a-f]{32,64})$/, (_, _kind, digits) => digits.slice(0, HASH_DIGITS));
}

/** A long image without the registry that did not change. @param {Change} change @returns {[string, string]} */
function valueTexts({ what, from, to }) {
  const [before, after] = [valueText(from), valueText(to)];
  const at = before.lastIndexOf('/') + 1;
  return what === 'image' && before.length > LONG_IMAGE && before.slice(0, at) === after.slice(0, at) ? [before.slice(at), after.slice(at)] : [before, after];
}

/** @param {Change[]} changes @returns {HTMLElement} */
export function diffTable(changes) {
  const rows = [...changes].sort((a, b) => weight(a.what) - weight(b.what)).map((change) => {
    const { what, from, to } = change;
    const [before, after] = valueTexts(change);
    return h('tr', { data: { what } }, h('th', { scope: 'row' }, printable(what)), h('td', { title: printable(from ?? '') }, before), h('td.after', { title: printable(to ?? '') }, after));
  });
  return h('table.diff', {}, h('thead', {}, h('tr', {}, ...['what', 'before', 'after'].map((name) => h('th', { scope: 'col' }, name)))), h('tbody', {}, rows));
}

/** @param {string} text of a cause @returns {string} */
function causeText(text) {
  if (/^exit (\d+) \(SIGKILL\): no signal/.test(text)) {
    return 'Exit 137 means SIGKILL. Docker was not asked to kill it and reported no lack of memory, so it was killed from outside Docker, or it ended itself with 137. Events cannot tell which.';
  }
  const [, code] = /^exit (\d+)$/.exec(text) ?? [];
  if (code && code !== '0' && Number(code) <= OWN_CODES) return `It ended with exit ${code}: an error code of its own program.`;
  const said = plain(text);
  return `${said.slice(0, 1).toUpperCase()}${said.slice(1)}.`;
}

/** Of what was made again just before, while nobody knows what it had been like: the step that tells. @param {Incident} incident */
export const remadeBefore = ({ subject, start, cause, timeline = [] }) => (cause.some(({ kind }) => CHANGES.has(kind)) ? undefined
  : timeline.find((step) => step.what === 'change' && step.subject === subject && step.record && millis(step.time) < millis(start)));

/** The first thing that each subject says of its failure, in the order of time. @param {Incident} incident */
function failures({ timeline = [], subjects }) {
  return subjects.flatMap(({ key }) => {
    const step = timeline.find(({ subject, what, text, folded }) => subject === key && (['failure', 'oom'].includes(what) || (what === 'health' && text.includes('unhealthy'))) && folded === 0);
    return step ? [{ key, step }] : [];
  }).sort((a, b) => a.step.time.localeCompare(b.step.time));
}

/**
 * @param {Incident} incident @param {{recorded: number, link: RecordLink}} context `recorded`: since when, NaN if that is not known
 * @returns {Node[]}
 */
export function whatChanged(incident, { recorded, link }) {
  const { start, cause, actions, subjects } = incident;
  const began = millis(start);
  const changes = byWeight(cause.filter(({ kind }) => CHANGES.has(kind)));
  const nodes = changes.flatMap((each) => {
    const before = began - millis(each.time);
    const when = [' ', link(each.record, Math.abs(before) < 100 ? 'as it began' : `${lengthText(Math.abs(before))} ${before >= 0 ? 'before' : 'after'} the first failure`), '.'];
    if (each.kind === 'created') return [h('p', {}, 'It was newly created', when, ' It never ran well before, and no version before it is recorded.')];
    if (!each.changes?.length) return [h('p', {}, plain(each.text).replace(/^./, (c) => c.toUpperCase()), each.kind === 'daemon' ? [','] : '', when)];
    return [h('p', {}, `It was deployed`, when), diffTable(each.changes)];
  });
  if (changes.some(({ kind }) => kind === 'deploy')) {
    const isHashed = changes.some((each) => each.changes?.some(({ what }) => what === 'config-hash'));
    nodes.push(h('p.soft', {}, `Events do not show environment, command and mounts${isHashed ? '; config-hash covers them, too' : ''}.`));
  }
  const remade = remadeBefore(incident);
  if (remade) {
    nodes.push(h('p', {}, 'It was made again shortly before ', link(remade.record ?? '', clockOf(millis(remade.time))), '; what it had been like is not recorded, so nothing can be compared.'));
  } else if (changes.length === 0) {
    const known = began - recorded;
    const far = known < LOOKS_BACK_MS ? known : LOOKS_BACK_MS;
    nodes.push(h('p', {}, `Nothing of its own was changed in the ${lengthText(far)}${known < LOOKS_BACK_MS ? ' recorded' : ''} before it: no deploy, and nothing done to its networks, volumes or limits.`,
      known < LOOKS_BACK_MS && h('span.soft', {}, ` What was before ${clockOf(recorded)} is not recorded.`)));
  }
  if (isDaemonUp(incident)) nodes.push(h('p', {}, 'The daemon was not restarted.'));
  const others = cause.filter(({ kind }) => !CHANGES.has(kind));
  const failed = failures(incident);
  if (failed.length > 1) {
    let said = '';
    nodes.push(h('h4', {}, 'What failed, in this order'), h('ol.order', {}, failed.map(({ key, step }) => {
      const after = millis(step.time) - began;
      const own = others.filter(({ subject, record }) => subject === key || record === step.record);
      const texts = own.map(({ text }) => causeText(text));
      // What is the same of the one before is not said again.
      const isSame = texts.join(' ') === said;
      said = texts.join(' ');
      return h('li', {}, h('b', {}, printable(key)), ` ${plain(step.text.split('; ')[0])}`, after > 0 && ` `, after > 0 && link(step.record ?? '', `${lengthText(after)} later`),
        !isSame && texts.map((text) => h('p.soft', {}, text)));
    })));
    if (incident.kind === 'cascade') nodes.push(h('p.soft', {}, `All within 60 s of each other. Whether ${printable(subjects[0].key)} caused the rest, events cannot prove.`));
  } else {
    nodes.push(...others.map(({ text, record }) => h('p', {}, causeText(text), ' ', link(record, 'record'))));
  }
  const rolled = actions.filter((act) => act.changes?.length);
  if (incident.state === 'closed' && rolled.length) {
    const last = rolled[rolled.length - 1];
    nodes.push(h('h4', {}, 'What ended it'), h('p', {}, 'It was re-created ', link(last.record, clockOf(millis(last.time))), `: ${listText((last.changes ?? []).filter(({ what }) => what !== 'config-hash').slice(0, 3).map(({ what, from, to }) => `${printable(what)} ${valueText(from)} → ${valueText(to)}`))}.`));
  }
  return nodes;
}
