// The choice of a Docker host, offered once the log is known to have more than one.

import { parseFilter, termText } from './filter.js';

/** The source of the recorder's own records; it is no Docker host. */
const RECORDER = 'shipslog';

export class HostPicker {
  #root;
  #select;
  /** @type {Set<string>} */
  #known = new Set();

  /** @param {HTMLElement} root with a select in it @param {(host: string) => void} onPick empty for all */
  constructor(root, onPick) {
    this.#root = root;
    this.#select = /** @type {HTMLSelectElement} */ (root.querySelector('select'));
    this.#select.addEventListener('change', () => onPick(this.#select.value));
  }

  /** From the second host on, for as long as the page is open. */
  get areSeveral() {
    return this.#known.size > 1;
  }

  /** @param {Iterable<string>} hosts @returns {boolean} whether one is new */
  meet(hosts) {
    const before = this.#known.size;
    for (const host of hosts) if (host && host !== RECORDER) this.#known.add(host);
    if (this.#known.size === before) return false;
    this.#root.hidden = !this.areSeveral;
    const chosen = this.#select.value;
    const options = [['', 'all hosts'], ...[...this.#known].sort().map((host) => [host, host])];
    this.#select.replaceChildren(...options.map(([value, text]) => new Option(text, value)));
    this.#select.value = chosen;
    return true;
  }

  /** @param {string} q the filter in use */
  show(q) {
    const sources = parseFilter(q).terms.filter(({ key, exclude }) => key === 'source' && !exclude);
    if (sources.length === 1) this.meet([sources[0].value]);
    this.#select.value = sources.length === 1 ? sources[0].value : '';
  }
}

/**
 * The filter with one key set anew: what it had for that key goes.
 * @param {string} q @param {string} key @param {string} value empty for none @returns {string}
 */
export function replaceTerm(q, key, value) {
  const terms = parseFilter(q).terms.filter((term) => term.key !== key || term.exclude);
  if (value) terms.push({ key, value, exclude: false });
  return terms.map(termText).join(' ');
}
