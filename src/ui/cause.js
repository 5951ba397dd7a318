// What became of a container that ended, judged from the records around its end: it was asked to and did, it was asked and
// had to be killed, memory ran out, another one took its place, or nobody asked. Pure.

/** @typedef {import('./rows.js').RecordItem} RecordItem */
/** @typedef {{action: string, actor: string, signal?: string, code?: string, subject?: string, image?: string}} Told what is kept of a record for judging */
/** @typedef {Told & {seq: number, at: number}} Act */
/**
 * @typedef {''|'asked'|'killed'|'deaf'|'oom'|'outside'} Why asked and obeyed; killed at once, as asked; asked, did not obey and
 *   was killed; out of memory; killed by something else than Docker. Empty: it failed, or nobody knows.
 * @typedef {{why: Why, waited?: number, by?: string}} End `waited`: milliseconds from the question to the kill; `by`: what took its place
 * @typedef {{asked: number, first: number, killed: number, oom: number, isWhole: boolean, began: number, died: RecordItem|null}} Known
 */

/** Docker waits as long as it was told between asking and killing; longer than this is not a consequence any more. */
const ASKED_WITHIN_MS = 15 * 60_000;
/** The kernel kills at once. */
const OOM_WITHIN_MS = 10_000;
/** Docker says `stop` right after the `die` that it caused. */
const STOP_WITHIN_MS = 2_000;
/** Less between the two signals of a stop is a timeout of 0 and nothing that was not obeyed. */
const DEAF_FROM_MS = 500;
/** A successor is made so long before or after. */
const SUCCEEDED_WITHIN_MS = 60_000;
/** Containers that are remembered. */
const MAX_KNOWN = 5_000;
const KILL = new Set(['9', 'KILL', 'SIGKILL']);
const NEVER = Number.NEGATIVE_INFINITY;

/** The oldest goes where there are too many. @template V @param {Map<string, V>} map @param {string} key @param {V} value */
function remember(map, key, value) {
  map.delete(key);
  map.set(key, value);
  if (map.size > MAX_KNOWN) map.delete(/** @type {string} */ (map.keys().next().value));
}

export class Causes {
  /** By container. @type {Map<string, Known>} */
  #known = new Map();
  /** The newest container of each service or name. @type {Map<string, {at: number, actor: string, image: string}>} */
  #made = new Map();
  /** The last one of each that ended since it was asked to. @type {Map<string, {actor: string, item: RecordItem, image: string}>} */
  #gone = new Map();

  /**
   * Takes the next item in the order of the log.
   * @param {RecordItem} item @returns {RecordItem|null} an item whose cause has become known
   */
  take(item) {
    return item.told ? this.act({ seq: item.seq, at: item.at, ...item.told }, item) : null;
  }

  /** @param {Act} act @param {RecordItem|null} item of it, if it is shown */
  act(act, item) {
    const { at, action, actor } = act;
    if (action === 'create') return this.#make(act);
    const known = this.#known.get(actor) ?? { asked: NEVER, first: NEVER, killed: NEVER, oom: NEVER, isWhole: false, began: NEVER, died: null };
    if (!this.#known.has(actor)) remember(this.#known, actor, known);
    if (action === 'kill') {
      if (KILL.has(act.signal ?? '')) known.killed = at;
      else if (known.first === NEVER) known.first = at;
      known.asked = at;
    } else if (action === 'oom') known.oom = at;
    else if (action === 'die') return this.#die(known, act, item);
    else if (action === 'stop') {
      const { died } = known;
      if (died && ['', 'outside'].includes(died.end.why) && at - died.at <= STOP_WITHIN_MS) {
        died.end = { ...died.end, why: 'asked' };
        return died;
      }
    } else if (action === 'start') Object.assign(known, { asked: NEVER, first: NEVER, killed: NEVER, oom: NEVER, isWhole: true, began: at, died: null });
    return null;
  }

  /** @param {Act} act */
  #make({ at, actor, subject = '', image = '' }) {
    if (subject === '') return null;
    remember(this.#made, subject, { at, actor, image });
    const gone = this.#gone.get(subject);
    if (!gone || gone.actor === actor || at - gone.item.at > SUCCEEDED_WITHIN_MS) return null;
    gone.item.end = { ...gone.item.end, by: image };
    return gone.item;
  }

  /** @param {Known} known @param {Act} act @param {RecordItem|null} item */
  #die(known, { at, actor, code, subject = '', image = '' }, item) {
    known.died = item;
    if (!item) return null;
    /** @type {End} */
    let end = { why: '' };
    if (at - known.oom <= OOM_WITHIN_MS) end = { why: 'oom' };
    else if (at - known.asked <= ASKED_WITHIN_MS) {
      const waited = known.killed - known.first;
      if (code === '137' && known.first > NEVER && waited >= DEAF_FROM_MS) end = { why: 'deaf', waited };
      else end = { why: code === '137' && known.killed > NEVER ? 'killed' : 'asked' };
    } else if (code === '137' && known.isWhole) end = { why: 'outside' };
    if (['asked', 'killed', 'deaf'].includes(end.why) && subject !== '') {
      remember(this.#gone, subject, { actor, item, image });
      const made = this.#made.get(subject);
      if (made && made.actor !== actor && made.at >= known.began && at - made.at <= SUCCEEDED_WITHIN_MS) end.by = made.image;
    }
    item.end = end;
    return end.why ? item : null;
  }

  /**
   * Judges all items anew, together with acts that the filter hides.
   * @param {RecordItem[]} items in order @param {Act[]} hidden in order
   */
  judge(items, hidden) {
    this.#known.clear();
    this.#made.clear();
    this.#gone.clear();
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
