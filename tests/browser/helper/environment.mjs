// What the tests need from outside. Where something is missing they are skipped by name, except in CI.

import { existsSync } from 'node:fs';

export const binary = process.env.SHIPSLOG_BIN;
export const dockerHost = process.env.SHIPSLOG_TEST_DOCKER;
export const chromium = process.env.CHROMIUM ?? '/usr/bin/chromium';
export const firefox = process.env.FIREFOX ?? '/usr/bin/firefox-esr';
export const shotsDirectory = process.env.SHIPSLOG_SHOTS;

const noBinary = !binary && 'SHIPSLOG_BIN (path of the binary)';
const noDocker = !dockerHost && 'SHIPSLOG_TEST_DOCKER (for example unix:///tmp/x/docker.sock)';
const noFirefox = !existsSync(firefox) && `FIREFOX (${firefox} is not there)`;

/**
 * Options for `test()`: a visible skip; in CI, an error as soon as a test asks.
 * @param {(string|false)[]} wanted names of what is missing @returns {{skip: string|false, timeout: number}}
 */
function needs(...wanted) {
  const missing = wanted.filter(Boolean).join(', ');
  return {
    timeout: 180_000,
    get skip() {
      if (missing && process.env.CI) throw new Error(`missing: ${missing}`);
      return missing ? `missing: ${missing}` : false;
    },
  };
}

export const needsBinary = needs(noBinary);
export const needsAll = needs(noBinary, noDocker);
export const needsFirefox = needs(noBinary, noFirefox);
