// The controls of a replay: speed, start, pause, stop, and its clock.

import { clock, day } from './format.js';

const TICK_MS = 100;
/** What the first button does, by the state of the session; where there is nothing, there is no button. */
const TOGGLE = {
  range: 'Replay', connecting: 'Pause', replaying: 'Pause', reconnecting: 'Pause', resting: 'Pause', paused: 'Go on', ended: 'Replay again',
};

/**
 * @typedef {import('./session.js').SessionState} SessionState
 * @typedef {{start: (speed: number) => void, pause: () => void, goOn: () => void, setSpeed: (speed: number) => void, stop: () => void}} ReplayActions
 */

export class ReplayBar {
  #root;
  #toggle;
  #stop;
  #speed;
  #clock;
  #timer = 0;
  /** @type {SessionState} */
  #state = 'connecting';
  /** @type {() => number|null} */
  #time = () => null;

  /** @param {HTMLElement} root @param {ReplayActions} actions */
  constructor(root, actions) {
    const part = (/** @type {string} */ name) => /** @type {any} */ (root.querySelector(`[data-part="${name}"]`));
    this.#root = root;
    this.#toggle = part('toggle');
    this.#stop = part('stop');
    this.#speed = part('speed');
    this.#clock = part('clock');
    this.#toggle.addEventListener('click', () => {
      if (this.#state === 'paused') actions.goOn();
      else if (this.#state === 'range' || this.#state === 'ended') actions.start(this.#chosen);
      else actions.pause();
    });
    this.#stop.addEventListener('click', () => {
      // The button is about to vanish, and the focus must not vanish with it.
      this.#toggle.hidden = false;
      this.#toggle.focus();
      actions.stop();
    });
    this.#speed.addEventListener('change', () => actions.setSpeed(this.#chosen));
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
