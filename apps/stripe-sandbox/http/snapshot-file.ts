import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { kinds, type Kind } from '../core/model.js';
import type { Timer } from '../core/timers.js';
import {
  World,
  type Delivery,
  type Faults,
  type Settings,
  type StoredAnswer,
  type StoredEvent,
} from '../core/world.js';
import type { ClockState } from './movable-clock.js';

/** Numbers that are left out after a run that was killed: ids it had given away but not written down are not given again. */
const leftOut = 100_000;
/** A write that takes longer is not waited for. */
const slowMs = 100;

type Snapshot = {
  readonly format: 3;
  /** False while a sandbox works with the file. */
  readonly closed: boolean;
  readonly clock: ClockState;
  readonly site: string;
  readonly now: number;
  readonly seed: number;
  readonly sequence: number;
  readonly tables: Readonly<Record<string, readonly (readonly [string, unknown])[]>>;
  readonly events: readonly StoredEvent[];
  readonly deliveries: readonly Delivery[];
  readonly answers: readonly (readonly [string, StoredAnswer])[];
  readonly timers: readonly Timer[];
  readonly clockTimers: readonly (readonly [clock: string, timers: readonly Timer[]])[];
  readonly settings: Settings;
  readonly faults: Faults;
};

/** What a sandbox goes on with after a restart. */
export type Kept = { readonly world: World; readonly clock: ClockState };

/** A world and its clock as JSON text; `closed` when nothing follows. */
function toJson({ world, clock }: Kept, closed: boolean): string {
  const snapshot: Snapshot = {
    format: 3,
    closed,
    clock,
    site: world.site,
    now: world.now,
    seed: world.seed,
    sequence: world.sequence,
    tables: Object.fromEntries(kinds.map((kind) => [kind, [...world.tables[kind].entries()]])),
    events: [...world.events.values()],
    deliveries: [...world.deliveries.values()],
    answers: [...world.answers.entries()],
    timers: world.timers.all(),
    clockTimers: [...world.clockTimers].map(([clock, queue]) => [clock, queue.all()]),
    settings: world.settings,
    faults: world.faults,
  };
  return JSON.stringify(snapshot);
}

function parse(text: string, path: string): Snapshot {
  try {
    const snapshot = JSON.parse(text) as Partial<Snapshot>;
    if (snapshot.format === 3) return snapshot as Snapshot;
  } catch {
    // Told below: not JSON, or not ours.
  }
  throw new Error(`${path} is not a data file of this sandbox: remove it to start afresh`);
}

/** What `toJson` wrote, its links leading to `site`. @throws when the text is of another format. */
function fromJson(text: string, path: string, site: string): Kept {
  const before = parse(text, path);
  const snapshot = before.site === site ? before : parse(text.replaceAll(before.site, site), path);
  const world = new World(snapshot.seed, snapshot.now, site);
  world.sequence = snapshot.sequence + (snapshot.closed ? 0 : leftOut);
  for (const kind of kinds) {
    for (const [id, thing] of snapshot.tables[kind] ?? []) world.store(kind as Kind, id, thing as never);
  }
  for (const event of snapshot.events) world.events.set(event.id, event);
  for (const delivery of snapshot.deliveries) {
    world.deliveries.set(delivery.id, delivery);
    if (delivery.dueAt !== null) world.waiting.add(delivery.id);
  }
  for (const [key, answer] of snapshot.answers) world.answers.set(key, answer);
  for (const timer of snapshot.timers) world.timers.push(timer);
  for (const [clock, timers] of snapshot.clockTimers) for (const timer of timers) world.timersOf(clock).push(timer);
  world.settings = snapshot.settings;
  world.faults = snapshot.faults;
  return { world, clock: snapshot.clock };
}

const isMissing = (error: unknown): boolean =>
  typeof error === 'object' && error !== null && 'code' in error && error.code === 'ENOENT';

/** Keeps a world in a file: written whole, under another name first, shortly after a change and at the end. */
export class SnapshotFile {
  #timer: NodeJS.Timeout | null = null;
  #writing: Promise<void> = Promise.resolve();
  #next: Promise<void> | null = null;
  #tookMs = 0;

  constructor(
    private readonly path: string,
    private readonly kept: () => Kept,
  ) {}

  /** What an earlier run has left; null when there was none. @throws when the file cannot be used. */
  static async read(path: string, site: string): Promise<Kept | null> {
    try {
      return fromJson(await readFile(path, 'utf8'), path, site);
    } catch (error) {
      if (isMissing(error)) return null;
      throw error;
    }
  }

  /** Writes soon; many changes in a row make one write. */
  changed(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = null;
      void this.#save();
    }, 500);
  }

  /**
   * Resolves when what has happened so far is on the disk, so that no answer promises what a crash could take back. A world so
   * large that writing it takes long is not waited for; its numbers are left out instead.
   */
  written(): Promise<void> {
    if (this.#tookMs > slowMs) {
      this.changed();
      return Promise.resolve();
    }
    return this.#save();
  }

  async close(): Promise<void> {
    if (this.#timer !== null) clearTimeout(this.#timer);
    await this.#writing;
    await this.#write(true);
  }

  /** Writes after the write that is under way; who asks meanwhile shares the next one. Failures are told, not thrown. */
  #save(): Promise<void> {
    this.#next ??= this.#writing.then(() => {
      this.#next = null;
      this.#writing = this.#write(false);
      return this.#writing;
    });
    return this.#next;
  }

  async #write(closed: boolean): Promise<void> {
    const started = performance.now();
    const temporary = `${this.path}.tmp`;
    try {
      await mkdir(dirname(this.path), { recursive: true });
      await writeFile(temporary, toJson(this.kept(), closed), { mode: 0o600, flush: true });
      await rename(temporary, this.path);
    } catch (error) {
      const reason = error instanceof Error ? error.message : 'unknown';
      process.stderr.write(`${JSON.stringify({ level: 'error', msg: 'the data file was not written', reason })}\n`);
    }
    this.#tookMs = performance.now() - started;
  }
}
