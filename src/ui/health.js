// Watches /readyz and puts into words what is wrong with the recorder, or on the way to it, and what to do about it.

import { AnswerError, ask } from './answers.js';
import { here } from './base.js';
import { clockOf, spanText } from './format.js';
import { serverClock } from './serverclock.js';
import { millis } from './timespan.js';

/**
 * @typedef {{name: string, state: string, error: string|null, hint: string|null}} Source
 * @typedef {{error: string|null, warning: string|null}} Fleet  how a server of a fleet follows the hub
 * @typedef {{ready: boolean, sources: Source[], writer: {state: string, error: string|null}, fleet?: Fleet|null, page?: string}} Readiness
 * @typedef {{level: 'bad'|'warn'|'note', text: string, hint: string, more?: string[], link?: {text: string, href: string}}} Problem
 * @typedef {'up'|'down'|'unknown'} StreamHealth  `unknown`: no stream, or none that has come to the head yet
 */

const POLL_MS = 10_000;
const POLL_DOWN_MS = 2_000;
/** A tab that nobody looks at asks less often. */
const POLL_HIDDEN_MS = 60_000;
// A restart of the server takes a moment; a banner for it would only flicker.
const FAILURES_BEFORE_BANNER = 2;
const ANSWER_TIMEOUT_MS = 5_000;

/** @type {Record<string, string>} */
const WRITER_HINTS = {
  full: 'Recording pauses and goes on by itself when there is room: free some space, or keep less with --retain-bytes.',
  poisoned: 'Nothing new is recorded until shipslog is restarted; what is stored stays readable. Check the disk first.',
};

/** @param {Source} source @returns {string} */
const sourceText = ({ name, state, error }) =>
  `Docker host “${name}” is ${state === 'error' ? 'not reachable' : state}: ${error ?? 'no reason given'}`;

/** @param {Source[]} sources @param {boolean} ready @returns {Problem[]} */
function sourceProblems(sources, ready) {
  const down = sources.filter(({ state, error }) => error || (state !== 'connected' && state !== 'connecting'));
  const level = ready ? 'warn' : 'bad';
  if (down.length < 2) return down.map((source) => ({ level, text: sourceText(source), hint: source.hint ?? '' }));
  const hints = [...new Set(down.map(({ hint }) => hint).filter(Boolean))];
  return [{
    level,
    text: `${down.length} of ${sources.length} Docker hosts are not reachable: ${down.map(({ name }) => name).join(', ')}`,
    hint: hints.length === 1 ? String(hints[0]) : '',
    more: down.map((source) => `${sourceText(source)}${source.hint && hints.length > 1 ? ` ${source.hint}` : ''}`),
  }];
}

/** @param {Readiness} readiness @param {string} [about] whose log is read, and until when it goes @returns {Problem[]} */
export function problemsOf({ ready, sources = [], writer, fleet }, about = '') {
  /** @type {Problem[]} */
  const problems = [];
  if (writer && writer.state === 'read-only') {
    return [{ level: 'note', text: 'A stored log: it is only read, and nothing is recorded.', hint: about }];
  }
  if (writer && writer.state !== 'ok') {
    const why = writer.error ? `: ${writer.error}` : '';
    problems.push({ level: 'bad', text: `The writer is ${writer.state}${why}.`, hint: WRITER_HINTS[writer.state] ?? '' });
  }
  problems.push(...sourceProblems(sources, ready));
  if (fleet?.error) problems.push({ level: 'bad', text: `Not current: ${fleet.error}.`, hint: 'Another server of the fleet may have more.' });
  if (fleet?.warning) problems.push({ level: 'warn', text: `Of the fleet: ${fleet.warning}.`, hint: '' });
  if (!ready && problems.length === 0) {
    problems.push({ level: 'warn', text: 'Not recording yet: no Docker host is connected.', hint: 'This page goes on by itself.' });
  }
  return problems;
}

/** @param {number} offset server less browser, in milliseconds @returns {Problem[]} */
export function clockProblems(offset) {
  if (offset === 0) return [];
  const text = `The clock of this computer is ${spanText(Math.abs(offset))} ${offset > 0 ? 'slow' : 'fast'}, compared with the server's.`;
  return [{ level: 'note', text, hint: 'Times of events are the servers\'; “15m” is counted back from the server\'s clock.' }];
}

/**
 * @param {{onProblems: (problems: Problem[]) => void, onReady: (readiness: Readiness) => void, about: () => Promise<string>}} handlers
 * @returns {{known: Promise<unknown>, streamIs: (next: StreamHealth) => void, hostIs: (host: string, isConnected: boolean, reason: string, time: string) => void}}
 *   `known`: the first answer is here, or there is none to be had; tell it when the stream goes down, or what the stream says of a host, so that it says so at once
 */
export function watchHealth({ onProblems, onReady, about }) {
  let timer = 0;
  let failures = 0;
  /** @type {() => void} */
  let knows = () => {};
  const known = new Promise((resolve) => { knows = () => resolve(undefined); });
  /** @type {StreamHealth} */
  let stream = 'unknown';
  /** What the last answer said. @type {Problem[]} */
  let told = [];
  /** What the stream has said since, by host. @type {Map<string, Problem|null>} */
  const news = new Map();

  function show() {
    const latest = [...news.values()].filter((problem) => problem !== null);
    const others = told.filter(({ text }) => ![...news.keys()].some((host) => text.startsWith(`Docker host “${host}”`)));
    onProblems([...others, ...latest, ...clockProblems(serverClock.offset)]);
  }

  async function read() {
    const isAnswer = ({ status }) => status === 200 || status === 503;
    const response = await ask('readyz', {}, AbortSignal.timeout(ANSWER_TIMEOUT_MS), isAnswer);
    /** @type {Readiness} */
    const readiness = await response.json();
    if (typeof readiness.ready !== 'boolean') throw new AnswerError('failed', response.status, 'not shipslog');
    onReady(readiness);
    return problemsOf(readiness, readiness.writer?.state === 'read-only' ? await about() : '');
  }

  async function look() {
    clearTimeout(timer);
    const before = new Map(news);
    try {
      told = await read();
      // What the stream has said meanwhile may be newer than the answer.
      for (const [host, problem] of before) if (news.get(host) === problem) news.delete(host);
      failures = 0;
      serverClock.isKnown = true;
      knows();
      show();
    } catch (error) {
      failures += 1;
      const problem = problemOf(error, stream);
      if (failures >= FAILURES_BEFORE_BANNER || problem.isSure) {
        told = [problem];
        knows();
        show();
      }
    }
    clearTimeout(timer);
    const pause = stream !== 'down' && failures === 0 ? POLL_MS : POLL_DOWN_MS;
    timer = setTimeout(look, document.hidden ? POLL_HIDDEN_MS : pause);
  }

  document.addEventListener('visibilitychange', () => {
    if (!document.hidden) look();
  });
  look();
  return {
    known,
    streamIs(next) {
      const turned = (next === 'down') !== (stream === 'down');
      stream = next;
      if (turned) look();
    },
    hostIs(host, isConnected, reason, time) {
      const text = `Docker host “${host}” is not connected since ${clockOf(millis(time))}${reason ? `: ${reason}` : ''}`;
      news.set(host, isConnected ? null : { level: 'warn', text, hint: 'What happens there meanwhile is read when it is back.' });
      show();
      // It knows more, a moment later.
      clearTimeout(timer);
      timer = setTimeout(look, POLL_DOWN_MS);
    },
  };
}

/** @param {unknown} error @param {StreamHealth} stream @returns {Problem & {isSure: boolean}} */
function problemOf(error, stream) {
  if (!(error instanceof AnswerError)) return { ...unreachable(stream), isSure: false };
  if (error.isOurLogin) return { ...loggedOut(here()), isSure: true };
  if (error.kind === 'login') return { ...wantsLogin(location.href), isSure: true };
  if (error.kind === 'refused') return { ...refused(error.message), isSure: true };
  return { ...unreachable(stream, error.status), isSure: false };
}

/** The server wants a token that this browser has no longer. @param {string} next where a login leads back to @returns {Problem} */
export function loggedOut(next) {
  return {
    level: 'bad',
    text: 'Your login has ended: its token is no longer known, or it was too long ago.',
    hint: 'This page goes on where it stopped once you have logged in, also in another tab.',
    link: { text: 'Log in', href: `login?${new URLSearchParams({ next })}` },
  };
}

/** A proxy has a login of its own. @param {string} here @returns {Problem} */
export function wantsLogin(here) {
  return {
    level: 'bad',
    text: 'Something between this page and shipslog wants you to log in again.',
    hint: 'A reload leads to its login; the server itself may be well.',
    link: { text: 'Reload', href: here },
  };
}

/** @param {string} detail in the server's words @returns {Problem} */
export function refused(detail) {
  const hint = detail.includes('--') ? '' : 'If it is reached by another name or port, start it with --allow-host NAME (or --cors-origin URL for a page from elsewhere).';
  return { level: 'bad', text: `shipslog refuses this page: ${detail}`, hint };
}

/** @param {StreamHealth} stream @param {number} [status] of somebody else's answer @returns {Problem} */
export function unreachable(stream, status = 0) {
  if (stream === 'up') {
    return {
      level: 'warn',
      text: 'Events still arrive here, but nothing else is answered.',
      hint: 'If shipslog is open with six filters or more, close some tabs: over HTTP/1.1 a browser opens six connections to one host, and each filter in use holds one. Over TLS (--tls-cert, --tls-key) all share a single one.',
    };
  }
  if (status > 0) {
    return {
      level: 'bad',
      text: `shipslog does not answer: something in front of it says ${status}.`,
      hint: 'It may be starting. This page keeps trying and resumes where it stopped.',
    };
  }
  return {
    level: 'bad',
    text: 'shipslog itself does not answer.',
    hint: 'This page keeps trying and resumes where it stopped. On the host: is the shipslog process running?',
  };
}
