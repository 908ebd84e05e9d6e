import { runEvery, runForever } from '#consuming/run-forever.js';
import type { Clock } from '#kernel/clock.js';
import type { EventStore } from '#event-store/port/event-store.js';
import {
  dropRetired,
  ensureProjections,
  generationsOf,
  startBuilding,
  wantsBuilding,
  type Generation,
} from './generations.js';
import { runBuilding, runLive, type ProjectionReport, type Running } from './generation-runner.js';
import type { Decode, Projection } from './projection.js';
import { ReaderGroup } from './reader-group.js';
import type { Database } from '../database/database.js';

export type ProjectionRunnerOptions<Event> = {
  readonly store: EventStore;
  readonly db: Database;
  readonly clock: Clock;
  readonly projections: readonly Projection<Event>[];
  readonly decode: Decode<Event>;
  /** Told of every failure, halt and switch; must not throw. */
  readonly report: (report: ProjectionReport) => void;
};

const LOOK_AROUND_MS = 1000;
const BUILDS_MAX = 2;

/**
 * Runs all projections, each by itself, until `signal` aborts; then finishes what is under way and resolves. Never rejects
 * and never gives up: what fails is tried again, what cannot be applied halts that projection alone. Any number of processes
 * may run it on one database: for each projection one works and the others wait.
 */
export async function runProjections<Event>(
  options: ProjectionRunnerOptions<Event>,
  signal: AbortSignal,
): Promise<void> {
  const running: Running<Event> = { ...options, group: new ReaderGroup(options) };
  const supervisor = new Supervisor(running, options.projections, signal);
  const report = (error: unknown): void => {
    const reason = error instanceof Error ? `${error.name}: ${error.message}` : 'unknown';
    options.report({ projection: '', generation: null, kind: 'failing', position: null, reason });
  };
  const { clock } = options;
  await runForever({ clock, report, longestPauseMs: LOOK_AROUND_MS }, signal, () =>
    runEvery({ clock, everyMs: LOOK_AROUND_MS }, signal, async () => {
      await supervisor.lookAround();
      return true;
    }),
  );
  await supervisor.finished();
}

class Supervisor<Event> {
  readonly #running: Running<Event>;
  readonly #projections: readonly Projection<Event>[];
  readonly #signal: AbortSignal;
  readonly #tasks = new Map<string, { readonly role: Generation['role']; readonly done: Promise<void> }>();

  constructor(running: Running<Event>, projections: readonly Projection<Event>[], signal: AbortSignal) {
    this.#running = running;
    this.#projections = projections;
    this.#signal = signal;
  }

  async finished(): Promise<void> {
    await Promise.all([...this.#tasks.values()].map(({ done }) => done));
  }

  /** Starts what should run: builds that are asked for, generations that nobody here works on; clears away what is retired. */
  async lookAround(): Promise<void> {
    const before = await generationsOf(this.#running.db);
    await this.#prepare(before);
    for (const generation of await generationsOf(this.#running.db)) {
      const projection = this.#projections.find(({ name }) => name === generation.name);
      // A generation of another version belongs to processes with that code.
      if (projection?.version !== generation.version || generation.role === 'retired') continue;
      this.#start(projection, generation);
    }
  }

  async #prepare(generations: readonly Generation[]): Promise<void> {
    const ofProjection = (name: string): readonly Generation[] => generations.filter((each) => each.name === name);
    const missing = this.#projections.filter(({ name }) => ofProjection(name).length === 0);
    const wanted = this.#projections.filter(({ name, version }) => wantsBuilding(ofProjection(name), version));
    const retired = generations.filter(({ role }) => role === 'retired');
    if (missing.length + wanted.length + retired.length === 0) return;
    const { db } = this.#running;
    await ensureProjections(db, missing);
    for (const projection of wanted) await startBuilding(db, projection);
    for (const generation of retired) await dropRetired(db, generation);
  }

  #start(projection: Projection<Event>, { generation, role }: Generation): void {
    const key = `${projection.name}/${String(generation)}`;
    if (this.#tasks.has(key)) return;
    if (
      role === 'building' &&
      [...this.#tasks.values()].filter((task) => task.role === 'building').length >= BUILDS_MAX
    )
      return;
    const run = role === 'building' ? runBuilding : runLive;
    const done = run(this.#running, projection, generation, this.#signal).finally(() => this.#tasks.delete(key));
    this.#tasks.set(key, { role, done });
  }
}
