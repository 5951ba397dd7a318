// Why a container ended, judged from the records around its death: somebody asked for it, memory ran out, or neither.
// Pure.

/** @typedef {import('./rows.js').RecordItem} RecordItem */
/** @typedef {{seq: number, at: number, action: string, actor: string}} Act */

/** Docker waits as long as it was told between asking and killing; longer than this is not a consequence any more. */
const ASKED_WITHIN_MS = 15 * 60_000;
/** The kernel kills at once. */
const OOM_WITHIN_MS = 10_000;
/** Docker says `stop` right after the `die` that it caused. */
const STOP_WITHIN_MS = 2_000;

export class Causes {
  /** By container: the last request, the last lack of memory, and the last death. @type {Map<string, {asked: number, oom: number, died: RecordItem|null}>} */
  #known = new Map();

  /**
   * Takes the next item in the order of the log.
   * @param {RecordItem} item @returns {RecordItem|null} an item whose cause has become known
   */
  take(item) {
    return item.told ? this.act({ seq: item.seq, at: item.at, ...item.told }, item) : null;
  }

  /** @param {Act} act @param {RecordItem|null} item of it, if it is shown */
  act({ at, action, actor }, item) {
    const known = this.#known.get(actor) ?? { asked: Number.NEGATIVE_INFINITY, oom: Number.NEGATIVE_INFINITY, died: null };
    this.#known.set(actor, known);
    if (action === 'kill') known.asked = at;
    else if (action === 'oom') known.oom = at;
    else if (action === 'die') return this.#die(known, at, item);
    else if (action === 'stop') {
      const { died } = known;
      if (died && died.cause === '' && at - died.at <= STOP_WITHIN_MS) {
        died.cause = 'asked';
        return died;
      }
    } else if (action === 'start') this.#known.delete(actor);
    return null;
  }

  /** @param {{asked: number, oom: number, died: RecordItem|null}} known @param {number} at @param {RecordItem|null} item */
  #die(known, at, item) {
    known.died = item;
    if (!item) return null;
    if (at - known.oom <= OOM_WITHIN_MS) item.cause = 'oom';
    else if (at - known.asked <= ASKED_WITHIN_MS) item.cause = 'asked';
    else item.cause = '';
    return item.cause ? item : null;
  }

  /**
   * Judges all items anew, together with acts that the filter hides.
   * @param {RecordItem[]} items in order @param {Act[]} hidden in order
   */
  judge(items, hidden) {
    this.#known.clear();
    let next = 0;
    for (const item of items) {
      if (!item.told) continue;
      for (; next < hidden.length && hidden[next].seq < item.seq; next += 1) this.act(hidden[next], null);
      if (hidden[next]?.seq === item.seq) next += 1;
      this.take(item);
    }
    for (; next < hidden.length; next += 1) this.act(hidden[next], null);
  }
}
