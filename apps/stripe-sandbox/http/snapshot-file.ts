import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Kind } from '../core/model.js';
import { kinds } from '../core/model.js';
import type { Timer } from '../core/timers.js';
import type { Delivery, Faults, Settings, StoredAnswer, StoredEvent } from '../core/world.js';
import { World } from '../core/world.js';

type Snapshot = {
  readonly format: 1;
  readonly now: number;
  readonly seed: number;
  readonly sequence: number;
  readonly tables: Readonly<Record<string, readonly (readonly [string, unknown])[]>>;
  readonly events: readonly StoredEvent[];
  readonly deliveries: readonly Delivery[];
  readonly answers: readonly (readonly [string, StoredAnswer])[];
  readonly timers: readonly Timer[];
  readonly settings: Settings;
  readonly faults: Faults;
};

/** The whole world as JSON text. */
export function worldToJson(world: World): string {
  const snapshot: Snapshot = {
    format: 1,
    now: world.now,
    seed: world.seed,
    sequence: world.sequence,
    tables: Object.fromEntries(kinds.map((kind) => [kind, [...world.tables[kind].entries()]])),
    events: [...world.events.values()],
    deliveries: [...world.deliveries.values()],
    answers: [...world.answers.entries()],
    timers: world.timers.all(),
    settings: world.settings,
    faults: world.faults,
  };
  return JSON.stringify(snapshot);
}

/** The world that `worldToJson` wrote. @throws when the text is of another format. */
export function worldFromJson(text: string, site: string): World {
  const snapshot = JSON.parse(text) as Snapshot;
  if (snapshot.format !== 1) throw new Error('the sandbox data file has another format; remove it to start afresh');
  const world = new World(snapshot.seed, snapshot.now, site);
  world.sequence = snapshot.sequence;
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
  world.settings = snapshot.settings;
  world.faults = snapshot.faults;
  return world;
}

const isMissing = (error: unknown): boolean =>
  typeof error === 'object' && error !== null && 'code' in error && error.code === 'ENOENT';

/** Keeps a world in a file: written whole, under another name first, shortly after a change and at the end. */
export class SnapshotFile {
  #timer: NodeJS.Timeout | null = null;
  #writing: Promise<void> = Promise.resolve();

  constructor(
    private readonly path: string,
    private readonly world: () => World,
  ) {}

  static async read(path: string, site: string): Promise<World | null> {
    try {
      return worldFromJson(await readFile(path, 'utf8'), site);
    } catch (error) {
      if (isMissing(error)) return null;
      throw error;
    }
  }

  /** Writes soon; many changes in a row make one write. */
  changed(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = null;
      this.save().catch((error: unknown) => {
        const reason = error instanceof Error ? error.message : 'unknown';
        process.stderr.write(
          `${JSON.stringify({ level: 'error', msg: 'the sandbox data file was not written', reason })}\n`,
        );
      });
    }, 500);
  }

  /** Writes now, after a write that is under way. */
  save(): Promise<void> {
    this.#writing = this.#writing
      .catch(() => undefined)
      .then(async () => {
        await mkdir(dirname(this.path), { recursive: true });
        const temporary = `${this.path}.tmp`;
        await writeFile(temporary, worldToJson(this.world()));
        await rename(temporary, this.path);
      });
    return this.#writing;
  }

  async close(): Promise<void> {
    if (this.#timer !== null) clearTimeout(this.#timer);
    await this.save();
  }
}
