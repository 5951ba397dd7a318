// What a person can press on the live page: buttons, links and keys, each leading to one action.

import { bindKeys } from './keys.js';
import { offerLogout } from './logout.js';

/**
 * @typedef {object} Actions
 * @property {(q: string) => void} applyFilter  @property {(since: string, until: string) => void} applyRange
 * @property {(text: string) => void} onTyping  into the filter box
 * @property {() => void} goLive  @property {() => void} toggleNoise  @property {() => void} toggleZone
 * @property {() => void} resume  @property {() => void} commands  @property {() => void} zoom
 * @property {() => void} escape  @property {() => void} replay
 * @property {(step: 1|-1) => void} shift  a range earlier or later
 * @property {(id: string) => void} toLoss  to the record of a gap
 * @property {import('./list.js').EventList} list  @property {import('./pane.js').IncidentPane} pane
 * @property {import('./charts.js').Charts} charts
 */

const el = (/** @type {string} */ id) => /** @type {any} */ (document.getElementById(id));

/** @param {Actions} actions */
export function bindControls(actions) {
  const { applyFilter, applyRange, goLive, toggleNoise, toggleZone, resume, commands, zoom, shift, list, pane, charts } = actions;
  el('query').addEventListener('submit', (/** @type {Event} */ event) => {
    event.preventDefault();
    const [since, until] = [el('since').value, el('until').value];
    if (since || until) applyRange(since, until);
    else applyFilter(el('filter').value.trim());
  });
  el('filter').addEventListener('input', () => actions.onTyping(el('filter').value));
  for (const button of document.querySelectorAll('[data-since]')) {
    button.addEventListener('click', () => applyRange(/** @type {HTMLElement} */ (button).dataset.since ?? '', ''));
  }
  const help = () => {
    el('help').showModal();
    // The focus is on its last button.
    el('help').scrollTop = 0;
  };
  const more = () => el('more-tools').setAttribute('aria-expanded', String(document.body.classList.toggle('with-tools')));
  const clicks = { 'more-tools': more, 'go-live': goLive, noise: toggleNoise, zone: toggleZone, resume, 'as-commands': commands, 'help-button': help, losses: () => actions.toLoss(el('losses').dataset.id ?? '') };
  for (const [id, onClick] of Object.entries(clicks)) el(id).addEventListener('click', () => onClick());
  for (const [of, onTab] of Object.entries({ incidents: () => pane.toIncidents(), events: () => pane.toEvents(), hosts: () => pane.toHosts() })) {
    document.querySelector(`[data-tab-of="${of}"]`)?.addEventListener('click', (event) => {
      event.preventDefault();
      onTab();
    });
  }
  offerLogout(el('logout'));
  bindKeys({
    '/': () => el('filter').select(),
    ' ': () => (list.state.following ? list.pause() : resume()),
    '?': help,
    e: toggleNoise,
    l: goLive,
    i: () => pane.toIncidents(),
    j: () => pane.step(1),
    k: () => pane.step(-1),
    d: () => pane.drawer.use((drawer) => drawer.toDiff()),
    m: () => pane.drawer.use((drawer) => drawer.act('copy-markdown')),
    r: actions.replay,
    c: commands,
    z: zoom,
    '+': () => charts.zoomBy(1),
    // Where + needs Shift.
    '=': () => charts.zoomBy(1),
    '-': () => charts.zoomBy(-1),
    // Never out of the page.
    b: () => { if (history.state?.depth > 0) history.back(); },
    h: () => pane.toHosts(),
    '[': () => shift(-1),
    ']': () => shift(1),
    u: toggleZone,
    Escape: actions.escape,
  });
}
