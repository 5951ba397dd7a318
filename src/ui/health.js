// Watches /readyz and puts into words what is wrong with the recorder and what to do about it.

/**
 * @typedef {{name: string, state: string, error: string|null, hint: string|null}} Source
 * @typedef {{ready: boolean, sources: Source[], writer: {state: string, error: string|null}}} Readiness
 * @typedef {{level: 'bad'|'warn', text: string, hint: string, link?: {text: string, href: string}}} Problem
 * @typedef {'up'|'down'|'unknown'} StreamHealth  `unknown`: no stream, or none that has come to the head yet
 */

const POLL_MS = 10_000;
const POLL_DOWN_MS = 2_000;
// A restart of the server takes a moment; a banner for it would only flicker.
const FAILURES_BEFORE_BANNER = 2;
const ANSWER_TIMEOUT_MS = 5_000;

/** @type {Record<string, string>} */
const WRITER_HINTS = {
  full: 'Recording pauses and goes on by itself when there is room: free some space, or keep less with --retain-bytes.',
  poisoned: 'Nothing new is recorded until shipslog is restarted; what is stored stays readable. Check the disk first.',
};

/** @param {Readiness} readiness @returns {Problem[]} */
export function problemsOf({ ready, sources = [], writer }) {
  /** @type {Problem[]} */
  const problems = [];
  if (writer && writer.state === 'read-only') {
    problems.push({ level: 'warn', text: 'This is a log that is only read; nothing is recorded.', hint: '' });
  } else if (writer && writer.state !== 'ok') {
    const why = writer.error ? `: ${writer.error}` : '';
    problems.push({ level: 'bad', text: `The writer is ${writer.state}${why}.`, hint: WRITER_HINTS[writer.state] ?? '' });
  }
  for (const source of sources) {
    if (source.state === 'connected' && !source.error) continue;
    if (source.state === 'connecting' && !source.error) continue;
    const text = `Docker host “${source.name}” is ${source.state === 'error' ? 'not reachable' : source.state}: ${source.error ?? 'no reason given'}`;
    problems.push({ level: ready ? 'warn' : 'bad', text, hint: source.hint ?? '' });
  }
  if (!ready && problems.length === 0) {
    problems.push({ level: 'warn', text: 'Not recording yet: no Docker host is connected.', hint: 'This page goes on by itself.' });
  }
  return problems;
}

/**
 * @param {(problems: Problem[]) => void} onProblems
 * @returns {{streamIs: (next: StreamHealth) => void}} tell it when the stream goes down, so that it looks at once
 */
export function watchHealth(onProblems) {
  let timer = 0;
  let failures = 0;
  /** @type {StreamHealth} */
  let stream = 'unknown';

  async function look() {
    clearTimeout(timer);
    try {
      const response = await fetch('/readyz', { cache: 'no-store', signal: AbortSignal.timeout(ANSWER_TIMEOUT_MS) });
      const problems = response.status === 401 ? [loggedOut(location.pathname + location.search)] : problemsOf(await response.json());
      failures = 0;
      onProblems(problems);
    } catch {
      failures += 1;
      if (failures >= FAILURES_BEFORE_BANNER) onProblems([unreachable(stream)]);
    }
    clearTimeout(timer);
    timer = setTimeout(look, stream !== 'down' && failures === 0 ? POLL_MS : POLL_DOWN_MS);
  }

  look();
  return {
    streamIs(next) {
      const turned = (next === 'down') !== (stream === 'down');
      stream = next;
      if (turned) look();
    },
  };
}

/** The server wants a token that this browser has no longer. @param {string} here where a login leads back to @returns {Problem} */
export function loggedOut(here) {
  return {
    level: 'bad',
    text: 'Your login has ended: its token is no longer known, or it was too long ago.',
    hint: 'This page goes on where it stopped once you have logged in, also in another tab.',
    link: { text: 'Log in', href: `/login?${new URLSearchParams({ next: here })}` },
  };
}

/** @param {StreamHealth} stream @returns {Problem} */
export function unreachable(stream) {
  if (stream === 'up') {
    return {
      level: 'warn',
      text: 'Events still arrive here, but nothing else is answered.',
      hint: 'If shipslog is open in six tabs or more, close some: over HTTP/1.1 a browser opens six connections to one host, and each live page holds one. Over TLS (--tls-cert, --tls-key) all share a single one.',
    };
  }
  return {
    level: 'bad',
    text: 'shipslog itself does not answer.',
    hint: 'This page keeps trying and resumes where it stopped. On the host: is the shipslog process running?',
  };
}
