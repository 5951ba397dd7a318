// The lane of an incident, in view where lanes have less room than they need.

import { printable } from './format.js';

/** While lanes are not drawn yet they are looked for so often, in milliseconds, and so many times. */
const EVERY_MS = 200;
const TURNS = 50;

/** @param {string} key of the lane @param {() => boolean} isStill whether it is still wanted @param {number} [turns] */
export function revealLane(key, isStill, turns = TURNS) {
  const charts = document.getElementById('charts');
  if (!charts || !isStill()) return;
  if (charts.dataset.drawn !== 'true') {
    if (turns > 0) setTimeout(() => revealLane(key, isStill, turns - 1), EVERY_MS);
    return;
  }
  const name = [.../** @type {NodeListOf<HTMLElement>} */ (charts.querySelectorAll('.ch-lanes .ch-name'))].find(({ title }) => title === printable(key));
  const lane = name?.closest('li')?.getBoundingClientRect();
  const head = charts.querySelector('.ch-head')?.getBoundingClientRect();
  if (!lane || !head) return;
  const below = lane.bottom - charts.getBoundingClientRect().bottom;
  // The bars stay above the lanes while these are scrolled: right below them it stands whole.
  const above = head.bottom - lane.top;
  if (below > 0 || above > 0) charts.scrollTop -= above;
}
