// A page that was left open while the server was upgraded: its parts are of the old version. The address of the parts
// holds a hash of them, which /readyz tells too, so a page notices that has no stream which could break off; and right
// after a break a look at the page as it is served now tells.

import { ASSETS, BASE } from './base.js';

/** @returns {Promise<boolean>} whether the server has other pages now than the one that is running */
export async function isOutdated() {
  try {
    const response = await fetch(BASE, { cache: 'no-cache', redirect: 'manual' });
    if (!response.ok) return false;
    const now = /assets\/([0-9a-f]+)\/live\.js/.exec(await response.text())?.[1];
    return now !== undefined && ASSETS !== '' && now !== ASSETS;
  } catch {
    return false;
  }
}

/** @param {string|undefined} page the hash of the pages that the server has now, by its own word @returns {boolean} */
export const isOther = (page) => Boolean(page && ASSETS && page !== ASSETS);

/** What is said then. @returns {import('./health.js').Problem} */
export const upgradeProblem = () => ({
  level: 'note',
  text: 'shipslog was upgraded while this page was open.',
  hint: 'This is still the old page.',
  link: { text: 'Reload', href: location.href },
});

/** What is said where a part of the page does not come. @returns {import('./health.js').Problem} */
export const missingProblem = () => ({
  level: 'warn',
  text: 'A part of this page does not load.',
  hint: 'The server does not answer, or was upgraded while this page was open.',
  link: { text: 'Reload', href: location.href },
});
