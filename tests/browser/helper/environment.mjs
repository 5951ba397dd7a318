// What the tests need from outside. Where something is missing they are skipped by name, except in CI.

export const binary = process.env.SHIPSLOG_BIN;
export const dockerHost = process.env.SHIPSLOG_TEST_DOCKER;
export const chromium = process.env.CHROMIUM ?? '/usr/bin/chromium';
export const shotsDirectory = process.env.SHIPSLOG_SHOTS;

const missing = [
  !binary && 'SHIPSLOG_BIN (path of the binary)',
  !dockerHost && 'SHIPSLOG_TEST_DOCKER (for example unix:///tmp/x/docker.sock)',
].filter(Boolean);

if (missing.length && process.env.CI) throw new Error(`missing: ${missing.join(', ')}`);

/** Options for `test()`: a visible skip. */
export const needsBinary = { skip: binary ? false : `missing: ${missing[0]}`, timeout: 180_000 };
export const needsAll = { skip: missing.length ? `missing: ${missing.join(', ')}` : false, timeout: 180_000 };
