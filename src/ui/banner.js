// The lines under the header: what is wrong, and what to do about it.

/** @typedef {import('./health.js').Problem} Problem */

export class Banner {
  #root;
  #text = '';

  /** @param {HTMLElement} root */
  constructor(root) {
    this.#root = root;
  }

  /** @param {Problem[]} problems */
  show(problems) {
    const lines = problems.map((problem) => this.#line(problem));
    const text = lines.map((line) => line.textContent).join('\n');
    // An alert that is written again is read out again.
    if (text === this.#text) return;
    this.#text = text;
    this.#root.replaceChildren(...lines);
    this.#root.hidden = lines.length === 0;
  }

  /** @param {Problem} problem */
  #line({ level, text, hint, link, more = [] }) {
    const line = document.createElement('div');
    line.className = `line ${level}`;
    const what = document.createElement('strong');
    what.textContent = text;
    line.append(what, ` ${hint}`);
    if (link) {
      const way = document.createElement('a');
      way.href = link.href;
      way.textContent = link.text;
      line.append(' ', way);
    }
    if (more.length) {
      const details = document.createElement('details');
      const summary = document.createElement('summary');
      summary.textContent = 'one by one';
      const list = document.createElement('ul');
      list.replaceChildren(...more.map((each) => Object.assign(document.createElement('li'), { textContent: each })));
      details.append(summary, list);
      line.append(details);
    }
    return line;
  }
}
