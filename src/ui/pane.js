// The page around incidents: list and drawer, and which of them there is room for. The address says what is shown.

import { h, write } from './dom.js';
import { termText } from './filter.js';
import { replaceTerm } from './hosts.js';
import { IncidentList } from './incident-list.js';
import { IncidentStore } from './incident-store.js';
import { countText, inOrder, isWithin, rangeOf } from './incident-words.js';
import { Late, sheet } from './late.js';
import { Notifier } from './notify.js';
import { Quiet } from './quiet.js';
import { serverClock } from './serverclock.js';
import { millis } from './timespan.js';
import { bounds, isOnIncident, tabOf, viewAddress } from './view.js';

/** @typedef {import('./view.js').View} View */
/** @typedef {import('./incident-words.js').Incident} Incident */

/** So long it is said that something was copied. */
const SAID_MS = 4_000;
/** Below this there is room for the list or for what it leads to. */
const NARROW = '(max-width: 900px)';

export class IncidentPane {
  store;
  list;
  /** One incident is not needed for the list of them. @type {Late<import('./incident-drawer.js').IncidentDrawer>} */
  drawer;
  quiet;
  /** The hosts of a fleet. @type {Late<import('./fleet.js').Fleet>} */
  fleet;
  /** @type {View} */
  #view;
  #handlers;
  #mayOpen = true;
  /** @type {Late<typeof import('./report-link.js')>} */
  #report;
  #narrow = matchMedia(NARROW);

  /**
   * @param {View} view
   * @param {{onChange: (change: Partial<View>) => void, onReplace: (change: Partial<View>) => void, onReplay: (range: {since: string, until: string}, incident: Incident) => void,
   *   onIncidents: (incidents: Incident[]) => void, onCount: (open: number) => void, matches: (incident: Incident) => boolean}} handlers
   */
  constructor(view, handlers) {
    this.#view = view;
    this.#handlers = handlers;
    const el = (/** @type {string} */ id) => /** @type {HTMLElement} */ (document.getElementById(id));
    const now = () => this.now;
    const notifier = new Notifier(el('notify'));
    this.quiet = new Quiet(el('quiet'), el('first'), (isDeaf) => this.list.setDeaf(isDeaf));
    this.list = new IncidentList(el('incidents'), { onOpen: (id) => this.open(id), onCopy: (id, box, button) => this.#copy(id, box, button), hrefOf: (id) => this.#hrefOf({ i: id, v: 'incidents' }), now, onFresh: (fresh) => notifier.tell(fresh) });
    const told = {
      now,
      recorded: () => this.quiet.recorded,
      link: (/** @type {string} */ id, /** @type {string} */ text, title = `record ${id}`) => h('a', { href: this.#hrefOf(this.#atRecord(id)), data: { record: id }, title }, text),
      hrefOfEvents: (/** @type {Incident} */ incident) => this.#hrefOf(this.#eventsOf(incident)),
      linkTo: (/** @type {Incident} */ incident) => new URL(this.#hrefOf({ v: 'incidents', i: incident.id, record: '', sel: '', ...this.#absolute(incident) }), location.href).href,
      onAct: (/** @type {string} */ act, /** @type {Incident} */ incident) => this.#act(act, incident),
    };
    this.drawer = new Late(async () => {
      const [{ IncidentDrawer }] = await Promise.all([import('./incident-drawer.js'), sheet('incident.css')]);
      return new IncidentDrawer(el('incident'), told);
    });
    this.fleet = new Late(async () => {
      const [{ Fleet }] = await Promise.all([import('./fleet.js'), sheet('fleet.css')]);
      const ofHost = (/** @type {string} */ host) => ({ v: /** @type {const} */ (''), i: '', q: replaceTerm(this.#view.q, 'source', host) });
      return new Fleet(el('fleet'), { now: () => serverClock.now(), hrefOf: (host) => this.#hrefOf(ofHost(host)), onPick: (host) => handlers.onChange(ofHost(host)) });
    });
    this.#report = new Late(() => import('./report-link.js'));
    el('incident').addEventListener('click', (event) => this.#onLink(event));
    this.store = new IncidentStore((incidents) => this.#onIncidents(incidents));
    this.#narrow.addEventListener('change', () => this.#arrange());
  }

  /** The time up to which incidents are judged: that of the server, or the last of a log that nobody writes. */
  get now() {
    const asOf = this.store?.page?.asOf ?? Number.NaN;
    const now = serverClock.now();
    return now - asOf < 60_000 || Number.isNaN(asOf) ? now : asOf;
  }

  /** @param {View} view */
  show(view) {
    const asks = ({ since, until, range }) => [since, until, range].join();
    const isOther = asks(view) !== asks(this.#view);
    const isFiltered = view.q !== this.#view.q || view.sel !== this.#view.sel;
    this.#view = view;
    if (isOther || isFiltered) this.list.reset();
    // Somebody who has asked for something is not led elsewhere.
    if (view.v || view.i || view.q || view.range || view.noise) this.#mayOpen = false;
    const range = { ...view, ...(bounds(view.sel) && { range: true, ...bounds(view.sel) }) };
    // All of the range, whatever part of it is chosen: lanes and list stay what they are, and the part is there at once.
    this.store.watch(view);
    this.quiet.watch(range);
    this.#arrange();
    const { page, incidents } = this.store;
    if (isFiltered && page) this.#onIncidents(incidents);
  }

  /** What was known at a time of the replay. @param {number} time */
  replayAt(time) {
    if (this.store.isAsking) return;
    this.store.watch({ ...this.#view, range: true, at: new Date(time).toISOString() });
  }

  /** @param {string} id */
  open(id) {
    this.#handlers.onChange({ v: 'incidents', i: id, record: '' });
    this.list.reveal(id);
    // Where the list gives way to it, the focus must not vanish with the list.
    if (this.#narrow.matches) this.drawer.use((drawer) => drawer.focus());
  }

  /** @param {1|-1} step to the next one of the list, or the one before */
  step(step) {
    const order = this.list.order;
    if (order.length === 0) return;
    const at = order.indexOf(this.#view.i);
    this.open(order[at === -1 ? (step > 0 ? 0 : order.length - 1) : Math.max(0, Math.min(order.length - 1, at + step))]);
  }

  /** To the incidents: the one that was open, or else the worst. */
  toIncidents() {
    const worst = this.#view.i || this.list.order[0] || '';
    this.#handlers.onChange({ v: 'incidents', i: this.#narrow.matches && this.#view.v !== 'incidents' ? '' : worst, record: '' });
  }

  toEvents() {
    this.#handlers.onChange({ v: 'events' });
  }

  /** To the hosts of a fleet, where there is one. */
  toHosts() {
    if (/** @type {HTMLElement} */ (document.querySelector('[data-tab-of="hosts"]')).hidden) return;
    this.#handlers.onChange({ v: 'hosts', record: '' });
    this.fleet.use((fleet) => fleet.show(true));
  }

  /** @param {string} id @param {HTMLElement} box @param {HTMLElement} button */
  #copy(id, box, button) {
    this.#report.use(async ({ copyReport }) => {
      const said = await copyReport(id, box);
      button.textContent = said;
      setTimeout(() => { button.textContent = 'Copy Markdown'; }, SAID_MS);
    });
  }

  /** @returns {boolean} whether there was something to close */
  close() {
    if (!isOnIncident(this.#view) && this.#view.v !== 'hosts') return false;
    const { i } = this.#view;
    this.#handlers.onChange({ v: this.#narrow.matches ? 'incidents' : 'events', i: '' });
    // Where it was before.
    if (i) this.list.focus(i);
    return true;
  }

  /** The time of the incident that is open. */
  get range() {
    return this.incident && rangeOf(this.incident, this.now);
  }

  /** The incident that is open. */
  get incident() {
    return this.drawer.here?.incident ?? null;
  }

  /** The zone has changed. */
  refill() {
    this.drawer.here?.refill();
    const { page, incidents } = this.store;
    if (page) this.#onIncidents(incidents);
  }

  #arrange() {
    const isOn = isOnIncident(this.#view);
    const { body } = document;
    body.dataset.tab = tabOf(this.#view, this.#narrow.matches);
    body.classList.toggle('on-incident', isOn);
    for (const tab of document.querySelectorAll('[data-tab-of]')) {
      const of = /** @type {HTMLElement} */ (tab).dataset.tabOf;
      const isHere = this.#narrow.matches || body.dataset.tab === 'hosts' ? of === body.dataset.tab : of === (isOn || this.#view.v === 'incidents' ? 'incidents' : 'events');
      if (isHere) tab.setAttribute('aria-current', 'page');
      else tab.removeAttribute('aria-current');
    }
    this.list.choose(isOn ? this.#view.i : '');
    const { i } = this.#view;
    // Its place is there at once, so that nothing moves when it comes.
    /** @type {HTMLElement} */ (document.getElementById('incident')).hidden = !isOn;
    const isHosts = this.#view.v === 'hosts';
    /** @type {HTMLElement} */ (document.getElementById('fleet')).hidden = !isHosts;
    if (isHosts) this.fleet.use((fleet) => fleet.show(this.#view.v === 'hosts'));
    else this.fleet.here?.show(false);
    this.drawer.drop();
    if (isOn) this.drawer.use((drawer) => drawer.open(i, this.store.find(i)));
    else this.drawer.here?.close();
  }

  /** @param {Incident[]} all */
  #onIncidents(all) {
    const chosen = bounds(this.#view.sel);
    const page = this.store.page && { ...this.store.page, ...(chosen && { since: millis(chosen.since), until: millis(chosen.until) }) };
    if (!page) return;
    const within = chosen ? all.filter((incident) => isWithin(incident, chosen)) : all;
    const incidents = within.filter((incident) => this.#handlers.matches(incident));
    const counts = ({ severity }) => severity !== 'notice';
    const hidden = within.filter(counts).length - incidents.filter(counts).length;
    this.list.show(incidents, page, hidden);
    this.list.choose(isOnIncident(this.#view) ? this.#view.i : '');
    const open = incidents.filter(({ severity, state }) => severity !== 'notice' && state !== 'closed');
    // Since when is recorded, an incident says too.
    this.quiet.show(incidents.filter(({ severity }) => severity !== 'notice').length, page).then(() => this.drawer.here?.refill());
    const count = /** @type {HTMLElement} */ (document.getElementById('incidents-count'));
    write(count, countText(open.length, incidents.filter(counts).length, hidden));
    count.dataset.open = String(open.length > 0);
    this.#handlers.onCount(open.length);
    this.#handlers.onIncidents(incidents);
    const known = this.store.find(this.drawer.here?.id ?? '');
    if (known) this.drawer.here?.meet(known);
    if (this.#mayOpen && open.length > 0 && !this.#narrow.matches) this.#handlers.onReplace({ v: 'incidents', i: inOrder(open)[0].id });
    this.#mayOpen = false;
  }

  /** @param {string} act @param {Incident} incident */
  #act(act, incident) {
    if (act === 'back') this.close();
    else if (act === 'replay') this.#handlers.onReplay(rangeOf(incident, this.now), incident);
    else if (act === 'events') this.#handlers.onChange(this.#eventsOf(incident));
  }

  /** @param {MouseEvent} event */
  #onLink(event) {
    const link = /** @type {Element} */ (event.target).closest('a[data-record], a[data-id]');
    if (!(link instanceof HTMLElement) || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    if (link.dataset.id) this.open(link.dataset.id);
    else this.toRecord(link.dataset.record ?? '');
  }

  /** @param {Partial<View>} change */
  #hrefOf(change) {
    return viewAddress({ ...this.#view, record: '', ...change });
  }

  /** The list of events at a record. @param {string} id */
  toRecord(id) {
    this.#handlers.onChange(this.#atRecord(id));
  }

  /** A range that holds the incident: that of the view, where it has one. @param {Incident|null} incident @returns {Partial<View>} */
  #absolute(incident) {
    if (this.#view.range || !incident) return { range: true };
    return { range: true, ...rangeOf(incident, this.now) };
  }

  /** @param {string} id @returns {Partial<View>} */
  #atRecord(id) {
    return { v: 'events', q: '', sel: '', record: id, ...this.#absolute(this.incident) };
  }

  /** @param {Incident} incident @returns {Partial<View>} */
  #eventsOf(incident) {
    return { v: 'events', sel: '', record: '', q: incident.containers.length ? incident.containers.slice(0, 20).map((id) => `container=${id}`).join(' ') : termText({ key: 'source', value: incident.source, exclude: false }), range: true, ...rangeOf(incident, this.now) };
  }
}

/** @param {number} open @param {string} q @returns {string} of the tab */
export const tabTitle = (open, q) => `${open > 0 ? `(${open}) ` : ''}${q ? `${q} · ` : ''}shipslog`;
