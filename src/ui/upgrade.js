// A page that was left open while the server was upgraded: its parts are of the old version. The address of the parts
// holds a hash of them, so a look at the page as it is served now tells.

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
