// A part of the page that is not needed before somebody asks for something: it comes with the first sign of a person, or
// when it is asked for, whichever is first.

/** All of them. @type {Late<any>[]} */
const parts = [];
/** What a person does first. */
const SIGNS = ['pointermove', 'pointerdown', 'keydown', 'focusin'];
let onTrouble = () => {};

/** @template T */
export class Late {
  /** The part, once it is here. @type {T|null} */
  here = null;
  #make;
  /** @type {Promise<T>|null} */
  #coming = null;
  #drops = 0;

  /** @param {() => Promise<T>} make */
  constructor(make) {
    this.#make = make;
    parts.push(this);
  }

  /** @param {(part: T) => any} act now, or once the part is here, unless that is dropped meanwhile */
  async use(act) {
    if (this.here !== null) return act(this.here);
    const drops = this.#drops;
    try {
      await this.fetch();
    } catch {
      return onTrouble();
    }
    if (drops === this.#drops && this.here !== null) act(this.here);
  }

  /** What waits for the part is not wanted any more. @returns {T|null} the part, if it is here */
  drop() {
    this.#drops += 1;
    return this.here;
  }

  /** @returns {Promise<T>} */
  fetch() {
    this.#coming ??= this.#make().then((part) => (this.here = part), (error) => {
      this.#coming = null;
      throw error;
    });
    return this.#coming;
  }
}

/** With the first sign of a person all parts come. @param {() => void} trouble what is done where a part is asked for and does not come */
export function awaitPerson(trouble) {
  onTrouble = trouble;
  const come = () => {
    for (const sign of SIGNS) removeEventListener(sign, come);
    // One that does not come is asked for again when it is needed.
    for (const part of parts) part.fetch().catch(() => {});
  };
  for (const sign of SIGNS) addEventListener(sign, come, { passive: true });
}

/** A sheet of styles, in use when this resolves. @param {string} name @returns {Promise<void>} */
export const sheet = (name) => new Promise((resolve, reject) => {
  const link = Object.assign(document.createElement('link'), { rel: 'stylesheet', href: new URL(name, import.meta.url).href });
  link.onload = () => resolve();
  link.onerror = () => {
    link.remove();
    reject(new Error(name));
  };
  document.head.append(link);
});
