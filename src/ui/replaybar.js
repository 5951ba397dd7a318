// The controls of a replay: speed, start, pause, stop, and its clock.

import { clock, day } from './format.js';
import { ReplaySession } from './replay.js';

const TICK_MS = 100;
/** What the first button does, by the state of the session; where there is nothing, there is no button. */
const TOGGLE = {
  range: 'Replay', connecting: 'Pause', replaying: 'Pause', reconnecting: 'Pause', resting: 'Pause', paused: 'Go on', ended: 'Replay again',
};

/**
 * @typedef {import('./session.js').SessionState} SessionState
 * @typedef {import('./session.js').SessionHandlers} SessionHandlers
 * @typedef {object} Page
 * @property {(make: (query: Record<string, string>, handlers: SessionHandlers) => ReplaySession) => void} open  a session in place of the present one
 * @property {() => ReplaySession|null} session  the one that runs
 * @property {() => void} stop  back to the whole range
 */

export class ReplayBar {
  #root;
  #page;
  #toggle;
  #stop;
  #speed;
  #clock;
  #timer = 0;
  /** @type {SessionState} */
  #state = 'connecting';
  /** @type {() => number|null} */
  #time = () => null;

  /** @param {HTMLElement} root @param {Page} page */
  constructor(root, page) {
    const part = (/** @type {string} */ name) => /** @type {any} */ (root.querySelector(`[data-part="${name}"]`));
    this.#root = root;
    this.#page = page;
    this.#toggle = part('toggle');
    this.#stop = part('stop');
    this.#speed = part('speed');
    this.#clock = part('clock');
    // Until now a click would have been lost.
    this.#toggle.disabled = false;
    this.#toggle.addEventListener('click', () => {
      if (this.#state === 'paused') page.session()?.open();
      else if (this.#state === 'range' || this.#state === 'ended') this.start();
      else page.session()?.pause();
    });
    this.#stop.addEventListener('click', () => {
      // The button is about to vanish, and the focus must not vanish with it.
      this.#toggle.hidden = false;
      this.#toggle.focus();
      page.stop();
    });
    this.#speed.addEventListener('change', () => this.#setSpeed());
  }

  /** At the speed that is chosen. */
  start() {
    const speed = this.#chosen;
    this.#page.open((query, handlers) => new ReplaySession(query, speed, handlers));
  }

  #setSpeed() {
    const session = this.#page.session();
    session?.setSpeed(this.#chosen);
    // The stream has the speed that it was opened with.
    if (!['paused', 'ended', 'live'].includes(this.#state)) session?.open();
  }

  get #chosen() {
    return Number(this.#speed.value);
  }

  /**
   * @param {SessionState} state @param {boolean} offered whether there is anything to replay
   * @param {(() => number|null)|null} time of the replay, if there is one
   */
  show(state, offered, time) {
    this.#state = state;
    this.#root.hidden = !offered;
    const label = /** @type {Record<string, string>} */ (TOGGLE)[state];
    this.#toggle.hidden = label === undefined;
    this.#toggle.textContent = label ?? '';
    this.#stop.hidden = time === null;
    this.#time = time ?? (() => null);
    clearInterval(this.#timer);
    if (state === 'replaying') this.#timer = setInterval(() => this.#tick(), TICK_MS);
    this.#clock.hidden = time === null || state === 'live';
    this.#tick();
  }

  #tick() {
    const time = this.#time();
    if (time === null) {
      this.#clock.textContent = '';
      return;
    }
    const iso = new Date(time).toISOString();
    this.#clock.dateTime = iso;
    this.#clock.textContent = `${day(iso)} ${clock(iso).slice(0, 8)}`;
  }
}
