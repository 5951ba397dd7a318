// Watches /readyz and puts into words what is wrong with the recorder and what to do about it.

/**
 * @typedef {{name: string, state: string, error: string|null, hint: string|null}} Source
 * @typedef {{ready: boolean, sources: Source[], writer: {state: string, error: string|null}}} Readiness
 * @typedef {{level: 'bad'|'warn', text: string, hint: string}} Problem
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
 * @returns {{streamIs: (up: boolean) => void}} tell it when the stream goes down, so that it looks at once
 */
export function watchHealth(onProblems) {
  let timer = 0;
  let failures = 0;
  let streamUp = true;

  async function look() {
    clearTimeout(timer);
    try {
      const response = await fetch('/readyz', { cache: 'no-store', signal: AbortSignal.timeout(ANSWER_TIMEOUT_MS) });
      const problems = problemsOf(await response.json());
      failures = 0;
      onProblems(problems);
    } catch {
      failures += 1;
      if (failures >= FAILURES_BEFORE_BANNER) onProblems([unreachable()]);
    }
    clearTimeout(timer);
    timer = setTimeout(look, streamUp && failures === 0 ? POLL_MS : POLL_DOWN_MS);
  }

  look();
  return {
    streamIs(up) {
      const turned = up !== streamUp;
      streamUp = up;
      if (turned) look();
    },
  };
}

/** @returns {Problem} */
function unreachable() {
  return {
    level: 'bad',
    text: 'shipslog itself does not answer.',
    hint: 'This page keeps trying and resumes where it stopped. On the host: is the shipslog process running?',
  };
}
