// One record as a sentence, and as a line of text for a ticket. Pure.

import { endWords, exitWords, own, signalName } from './exits.js';
import { NOBODY_KNOWS, count, describe, fullTime, printable, shortId } from './format.js';
import { gapOf, gapText } from './gaps.js';

/** @typedef {import('./format.js').LogRecord} LogRecord */

/** What Docker's past tenses are. @type {Record<string, string>} */
const PAST = {
  create: 'was created', start: 'was started', stop: 'was stopped, as asked', restart: 'was restarted, as asked', destroy: 'was removed',
  pause: 'was paused', unpause: 'goes on after a pause', attach: 'was attached to', resize: 'has a terminal of another size', update: 'was updated',
  pull: 'was pulled', push: 'was pushed', tag: 'was tagged', untag: 'lost a tag', delete: 'was deleted', remove: 'was removed', commit: 'was committed to an image',
  mount: 'was mounted', unmount: 'was unmounted', prune: 'were cleaned up', rename: 'was renamed', copy: 'had files copied', export: 'was exported', import: 'was imported',
  load: 'was loaded', save: 'was saved', 'exec_create': 'got a command', 'exec_start': 'runs a command', 'exec_die': 'ended a command', 'exec_detach': 'was detached from a command',
};

/** @param {LogRecord} record @param {import('./cause.js').End} end @returns {string} */
function ofContainer({ event }, end) {
  const a = event.Actor?.Attributes ?? {};
  const action = String(event.Action ?? '');
  if (action === 'die') {
    const words = endWords(end);
    return `ended${a.exitCode === undefined ? '' : `, exit code ${exitWords(a.exitCode)}`}${words && `: ${words}`}`;
  }
  if (action === 'oom') return 'ran out of memory';
  if (action === 'kill') return `was sent signal ${signalName(a.signal ?? '')}`;
  if (action.startsWith('health_status: ')) return `is ${action.slice(15)}`;
  return '';
}

/** @param {LogRecord} record @returns {string} */
function ofRecorder(record) {
  const { event } = record;
  const a = event.Actor?.Attributes ?? {};
  const gap = gapOf(record);
  if (gap) return gapText(gap, true);
  if (event.Action === 'observed') {
    const what = `${a.kind ?? 'container'} ${a.name || shortId(event.Actor?.ID ?? '')}`;
    const was = a.was ? `was ${a.was} and ` : '';
    const exit = a.exitCode !== undefined && a.state === 'exited' ? `, exit code ${exitWords(a.exitCode)}` : '';
    return `The recorder looked: the ${what} ${was}is ${a.state ?? 'there'}${exit}. No event said so.`;
  }
  if (event.Action === 'baseline') {
    const counted = Object.entries(a).filter(([, value]) => /^\d+$/.test(value)).map(([key, value]) => `${value} ${key}`);
    return `The recorder has looked at everything on ${record.source}${counted.length ? `: ${counted.join(', ')}` : ''}.`;
  }
  if (event.Action === 'last-words') {
    const name = a.name || shortId(event.Actor?.ID ?? '');
    if (a.why) return `What ${name} printed last is not known, or not all of it: ${a.why}.`;
    return a.lines === '0' ? `${name} printed nothing before it died.` : `What ${name} printed before it died: its last ${a.lines === '1' ? 'line' : `${a.lines} lines`}.`;
  }
  if (event.Action === 'notified') {
    return a.status === 'begins' ? `The hook ${a.hook} is told of incidents from now on.` : `The hook ${a.hook} was told of incident ${a.incident} (${a.occasion}): ${a.status}.`;
  }
  const reason = a.reason ? `: ${a.reason}` : '';
  return own({
    start: `The recorder ${a.version ?? ''} started.`,
    stop: `The recorder ${a.version ?? ''} stopped.`,
    connect: `The recorder is connected to ${record.source}${reason}.`,
    disconnect: `The recorder lost its connection to ${record.source}${reason}.`,
    resumed: `The recorder is connected to ${record.source} again and missed nothing: ${a.replayed ?? 0} events were read afterwards.`,
    tick: 'Time has passed, and an incident is another now: what it had waited for has come, or has not.',
    clock: `The clock was set from ${a.from ?? '?'} to ${a.to ?? '?'}.`,
  }, String(event.Action ?? '')) ?? `The recorder says: ${event.Action}.`;
}

/** @param {LogRecord} record @param {import('./cause.js').End} [end] @returns {string} what happened */
export function sentence(record, end = NOBODY_KNOWS) {
  const { event } = record;
  if (record.broken) return 'A browser cannot read this record; its text is below.';
  const cut = record.cut ? ` The message was ${count(Number(record.cut.bytes))} bytes long; only its head is kept.` : '';
  if (event.Type === 'recorder' && !record.foreign) return printable(ofRecorder(record)) + cut;
  const a = event.Actor?.Attributes ?? {};
  const action = String(event.Action ?? '');
  const name = String(a.name || shortId(event.Actor?.ID ?? '') || 'Something');
  const kind = event.Type === 'container' ? '' : `The ${event.Type ?? 'thing'} `;
  const [word, command = ''] = action.split(/: ?(.*)/s);
  const of = a.container && event.Type === 'network' ? ` container ${shortId(a.container)}` : '';
  const known = own({ connect: `was connected to${of}`, disconnect: `was disconnected from${of}` }, action) ?? own(PAST, word);
  const what = (event.Type === 'container' && ofContainer(record, end)) || known || `said “${action}”`;
  const run = command && word.startsWith('exec_') ? `: ${command}` : '';
  const exit = word === 'exec_die' && a.exitCode !== undefined ? `, exit code ${exitWords(a.exitCode)}` : '';
  const foreign = record.foreign ? ' It was sent by Docker, not by the recorder.' : '';
  return printable(`${kind}${name} ${what}${run}${exit}.${foreign}${cut}`);
}

/** @param {LogRecord} record @param {import('./cause.js').End} [end] @returns {string} a line for a ticket */
export function asText(record, end = NOBODY_KNOWS) {
  const { type, action, name, details } = describe(record, end);
  const fields = [fullTime(record.time), record.source, type, action, name, details].filter(Boolean).join(' ');
  return `${fields}\n${sentence(record, end)} (${record.id})`;
}
