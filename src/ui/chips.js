// The active filters as chips, each with a button that takes it away.

import { termText } from './filter.js';

/** @typedef {import('./filter.js').Term} Term */

export class ChipBox {
  #root;
  #onChange;

  /** @param {HTMLElement} root @param {(terms: Term[]) => void} onChange the terms that are left */
  constructor(root, onChange) {
    this.#root = root;
    this.#onChange = onChange;
  }

  /** @param {Term[]} terms */
  show(terms) {
    this.#root.replaceChildren(...terms.map((term) => this.#chip(term, terms)));
  }

  /** @param {Term} term @param {Term[]} terms */
  #chip(term, terms) {
    const chip = document.createElement('li');
    chip.className = term.exclude ? 'chip exclude' : 'chip';
    const text = document.createElement('span');
    text.textContent = termText(term);
    const remove = document.createElement('button');
    remove.type = 'button';
    remove.textContent = '✕';
    remove.setAttribute('aria-label', `Remove ${termText(term)}`);
    remove.onclick = () => this.#onChange(terms.filter((other) => other !== term));
    chip.append(text, remove);
    return chip;
  }
}
