import { same } from './diff.js';
import { missing } from './api/errors.js';
import { letterCode, makeId } from './ids.js';
import {
  nouns,
  prefixes,
  type Customer,
  type EventType,
  type Kind,
  type Tables,
  type TestClock,
  type Thing,
} from './model.js';
import { NEWEST_VERSION } from './api/present.js';
import { rankOf, type Task, type Timer } from './timers.js';
import { ownerOf, type Faults, type RequestInfo, type Settings, type StoredEvent, type World } from './world.js';

type Row = { readonly kind: Kind; readonly id: string; readonly thing: Thing | null };

const ownRequest: RequestInfo = { id: null, idempotency_key: null };

/** True when two values differ in what Stripe would show. */
function visiblyDiffers(before: Thing, after: Thing): boolean {
  return !same({ ...before, sandbox: null }, { ...after, sandbox: null });
}

/**
 * One step of the sandbox: a request or a tick of the clock. It reads the world, keeps its changes and events to itself,
 * and `commit` makes them real; a step that is dropped has changed nothing. Objects are values and are never changed in place.
 */
export class Tx {
  readonly settings: Settings;
  readonly site: string;
  faults: Faults;
  readonly #world: World;
  readonly #request: RequestInfo;
  readonly #rows = new Map<string, Row>();
  readonly #timers: { readonly clock: string | null; readonly timer: Timer }[] = [];
  #events: StoredEvent[] = [];
  #followUps: Task[] = [];
  #sequence: number;
  #clock: TestClock | null = null;

  /** The API version in which its request is made and answered. */
  readonly version: string;

  constructor(world: World, request: RequestInfo = ownRequest, version = NEWEST_VERSION) {
    this.version = version;
    this.#world = world;
    this.#request = request;
    this.settings = world.settings;
    this.site = world.site;
    this.faults = world.faults;
    this.#sequence = world.sequence;
  }

  /** True when the request speaks a version from before this date. */
  isBefore(date: string): boolean {
    return this.version.slice(0, 10) < date;
  }

  /** The time of the sandbox, or of the test clock by which the customer lives whom this step is about. */
  get now(): number {
    return this.#clock?.frozen_time ?? this.#world.now;
  }

  /** The test clock that gives `now`. */
  get testClock(): string | null {
    return this.#clock?.id ?? null;
  }

  /** Has a test clock show `at`, or what it shows if that is later, and this step live by it. */
  moveClock(id: string, at: number): TestClock {
    const clock = this.need('test_helpers.test_clock', id);
    const moved = { ...clock, frozen_time: Math.max(at, clock.frozen_time) };
    this.put('test_helpers.test_clock', id, moved);
    return (this.#clock = moved);
  }

  newId(kind: Kind): string {
    return this.idWith(prefixes[kind]);
  }

  idWith(prefix: string): string {
    this.#sequence += 1;
    return makeId(prefix, this.#world.seed, this.#sequence);
  }

  /** Random-looking letters for secrets and fingerprints. */
  code(purpose: string, length: number): string {
    this.#sequence += 1;
    return letterCode(this.#world.seed, this.#sequence, purpose, length);
  }

  get<K extends Kind>(kind: K, id: string): Tables[K] | null {
    const found = this.#find(kind, id);
    if (this.#clock === null && found !== null) this.#liveBy(kind, found);
    return found;
  }

  #find<K extends Kind>(kind: K, id: string): Tables[K] | null {
    const row = this.#rows.get(`${kind}:${id}`);
    if (row !== undefined) return row.thing as Tables[K] | null;
    return this.#world.tables[kind].get(id) ?? null;
  }

  /** A step is about one customer: the first thing of theirs that it looks at says by which clock it lives. */
  #liveBy(kind: Kind, thing: Thing): void {
    if (this.#world.tables['test_helpers.test_clock'].size === 0) return;
    const owner = 'customer' in thing && typeof thing.customer === 'string' ? thing.customer : null;
    const customer = kind === 'customer' ? (thing as Customer) : owner === null ? null : this.#find('customer', owner);
    const id = kind === 'test_helpers.test_clock' ? (thing as TestClock).id : customer?.test_clock;
    if (typeof id === 'string') this.#clock = this.#find('test_helpers.test_clock', id);
  }

  /** The object, or Stripe's `No such …`: 404 for the object of the address, 400 for one named by a parameter. */
  need<K extends Kind>(kind: K, id: string, param?: string): Tables[K] {
    const found = this.get(kind, id);
    if (found === null) throw missing(nouns[kind] ?? kind, id, param ?? 'id', param === undefined ? 404 : 400);
    return found;
  }

  /** All objects of a kind in the order they were made. */
  *all<K extends Kind>(kind: K): IterableIterator<Tables[K]> {
    for (const [id, thing] of this.#world.tables[kind]) {
      const row = this.#rows.get(`${kind}:${id}`);
      if (row === undefined) yield thing as Tables[K];
      else if (row.thing !== null) yield row.thing as Tables[K];
    }
    for (const row of this.#rows.values()) {
      if (row.kind === kind && row.thing !== null && !this.#world.tables[kind].has(row.id))
        yield row.thing as Tables[K];
    }
  }

  /** The objects of a kind that belong to `owner`, in the order they were made. */
  ownedBy<K extends Kind>(kind: K, owner: string): readonly Tables[K][] {
    const ids = new Set(this.#world.byOwner.get(`${kind}:${owner}`));
    for (const row of this.#rows.values()) if (row.kind === kind) ids.add(row.id);
    return [...ids]
      .map((id) => this.get(kind, id))
      .filter((thing): thing is Tables[K] => thing !== null && ownerOf(kind, thing) === owner);
  }

  put<K extends Kind>(kind: K, id: string, thing: Tables[K]): void {
    this.#rows.set(`${kind}:${id}`, { kind, id, thing });
  }

  /** Stores a new object and emits its event. */
  create<K extends Kind>(kind: K, thing: Tables[K] & { readonly id: string }, event: EventType | null): Tables[K] {
    this.put(kind, thing.id, thing);
    if (event !== null) this.emit(event, thing);
    return thing;
  }

  /** Replaces an object; emits `event` with the old values, but only when something visible changed. */
  update<K extends Kind>(kind: K, thing: Tables[K] & { readonly id: string }, event: EventType | null): Tables[K] {
    const before = this.need(kind, thing.id);
    this.put(kind, thing.id, thing);
    if (event !== null && visiblyDiffers(before, thing)) this.emit(event, thing, before);
    return thing;
  }

  remove(kind: Kind, id: string): void {
    this.#rows.set(`${kind}:${id}`, { kind, id, thing: null });
  }

  emit(type: EventType, object: Thing, previous: Thing | null = null): void {
    this.#events.push({
      id: this.idWith('evt'),
      type,
      created: this.#world.now,
      object,
      previous,
      request: this.#request,
    });
  }

  /** The events of this step in the order Stripe was seen to send them; those not named keep their place at the end. */
  arrangeEvents(order: readonly EventType[]): void {
    const place = (type: EventType): number => (order.includes(type) ? order.indexOf(type) : order.length);
    this.#events = this.#events
      .map((event, index) => ({ event, index }))
      .sort((a, b) => place(a.event.type) - place(b.event.type) || a.index - b.index)
      .map(({ event }) => event);
  }

  /** Sets work for a time of the clock; a time that has passed means now. */
  schedule(at: number, task: Task): void {
    this.#sequence += 1;
    const timer = { at: Math.max(at, this.now), rank: rankOf(task), sequence: this.#sequence, task };
    this.#timers.push({ clock: this.testClock, timer });
  }

  /** Sets work for as soon as the sandbox's own clock runs, whatever clock this step lives by. */
  scheduleSoon(task: Task): void {
    this.#sequence += 1;
    const timer = { at: this.#world.now, rank: rankOf(task), sequence: this.#sequence, task };
    this.#timers.push({ clock: null, timer });
  }

  /** Work of another resource that this change makes due at once, done before the step ends. */
  follow(task: Task): void {
    this.#followUps.push(task);
  }

  takeFollowUps(): readonly Task[] {
    const tasks = this.#followUps;
    this.#followUps = [];
    return tasks;
  }

  get events(): readonly StoredEvent[] {
    return this.#events;
  }

  /** Makes the step real and gives its events. */
  commit(): readonly StoredEvent[] {
    const world = this.#world;
    for (const row of this.#rows.values()) {
      if (row.thing === null) world.erase(row.kind, row.id);
      else world.store(row.kind, row.id, row.thing as never);
    }
    for (const event of this.#events) world.events.set(event.id, event);
    for (const { clock, timer } of this.#timers) world.timersOf(clock).push(timer);
    world.sequence = this.#sequence;
    world.faults = this.faults;
    return this.#events;
  }
}
