import { untilDone } from '#consuming/run-forever.js';
import type { Clock } from '#kernel/clock.js';
import type { EventStore, Position } from '#event-store/port/event-store.js';
import { joined } from '#consuming/batches.js';
import { CheckpointedWriter, Fenced, Halted } from './checkpointed-writer.js';
import { compareGeneration } from './comparison/compare.js';
import { generationsOf, switchTo, type Generation } from './generations.js';
import { projected, type Decode, type Projection } from './projection.js';
import type { ReaderGroup } from './reader-group.js';
import type { Database, Reader } from '../database/database.js';
import { SCHEMA } from './schema.js';
import { whileLocked } from '../database/lock.js';

/** What happened to a projection that somebody should know. */
export type ProjectionReport = {
  readonly projection: string;
  readonly generation: number | null;
  readonly kind: 'halted' | 'failing' | 'switched';
  readonly position: Position | null;
  readonly reason: string;
};

export type Running<Event> = {
  readonly store: EventStore;
  readonly db: Database;
  readonly clock: Clock;
  readonly decode: Decode<Event>;
  /** What live generations read the log through. A rebuild reads it alone. */
  readonly group: ReaderGroup<Event>;
  readonly report: (report: ProjectionReport) => void;
};

const BATCH_MAX = 4000;
const LOCK_POLL_MS = 300;
/** Who gets a small batch so soon after the one before rests for a moment, so that more comes together for the next. */
const BUSY_WITHIN_MS = 10;
const REST_MS = 20;
/** Longer where the batch held nothing for the projection, which then only moves its checkpoint. */
const IDLE_REST_MS = 80;
const LARGE_BATCH = 500;
const HALTED_POLL_MS = 1000;
const BACKOFF_MAX_MS = 5000;

type Task<Event> = {
  readonly projection: Projection<Event>;
  /** As it is when the work begins. */
  readonly generation: Generation;
  readonly writer: CheckpointedWriter<Event>;
};

/** What a runner is here for: a generation, in the role that it has for as long as the work makes sense. */
type Assignment<Event> = {
  readonly projection: Projection<Event>;
  readonly generation: number;
  readonly role: Generation['role'];
  readonly work: (running: Running<Event>, task: Task<Event>, signal: AbortSignal) => Promise<void>;
};

/** A generation by its name and number. */
type Numbered = { readonly name: string; readonly generation: number };

/** Keeps the live generation up to date until it is replaced or `signal` aborts. A second process waits until the first is gone. */
export const runLive = <Event>(
  running: Running<Event>,
  projection: Projection<Event>,
  generation: number,
  signal: AbortSignal,
): Promise<void> => keepTrying(running, { projection, generation, role: 'live', work: follow }, signal);

/** Fills a building generation, compares it with an independent fold, and makes it the live one. */
export const runBuilding = <Event>(
  running: Running<Event>,
  projection: Projection<Event>,
  generation: number,
  signal: AbortSignal,
): Promise<void> => keepTrying(running, { projection, generation, role: 'building', work: build }, signal);

const keepTrying = <Event>(
  running: Running<Event>,
  assignment: Assignment<Event>,
  signal: AbortSignal,
): Promise<void> => {
  const { projection, generation } = assignment;
  const report = (error: unknown): void => {
    const reason = error instanceof Error ? `${error.name}: ${error.message}` : 'unknown';
    running.report({ projection: projection.name, generation, kind: 'failing', position: null, reason });
  };
  return untilDone({ clock: running.clock, report, longestPauseMs: BACKOFF_MAX_MS }, signal, (progressed) =>
    attempt(running, assignment, progressed, signal),
  );
};

async function attempt<Event>(
  running: Running<Event>,
  { projection, generation: number, role, work }: Assignment<Event>,
  progressed: () => void,
  signal: AbortSignal,
): Promise<void> {
  const { db, clock } = running;
  const own: Numbered = { name: projection.name, generation: number };
  const lock = `projection ${own.name} ${String(number)}`;
  await whileLocked(lock, { db, clock, pollMs: LOCK_POLL_MS }, signal, async (alive) => {
    await setRunning(db, own);
    while (!alive.aborted) {
      const generation = await generationOf(db, own);
      if (generation?.role !== role) return;
      const writer = new CheckpointedWriter(db, projection, number, generation.position);
      try {
        await work(running, { projection, generation, writer }, alive);
        if (role === 'building') return;
      } catch (error) {
        if (!(error instanceof Halted)) throw error;
        // Who acts on the report finds the projection halted.
        await setHalted(db, own, error);
        running.report({
          projection: projection.name,
          generation: number,
          kind: 'halted',
          position: error.position,
          reason: error.reason,
        });
        await untilRunning(db, own, clock, alive);
      } finally {
        if (writer.position > generation.position) progressed();
      }
    }
  });
}

const generationOf = async (db: Reader, { name, generation }: Numbered): Promise<Generation | undefined> =>
  (await generationsOf(db)).find((each) => each.name === name && each.generation === generation);

async function setRunning(db: Reader, { name, generation }: Numbered): Promise<void> {
  await db.query({
    text: `update ${SCHEMA}.projection_checkpoints set state = 'running', halted_position = null, halted_reason = null
      where name = $1 and generation = $2 and state = 'halted'`,
    values: [name, generation],
  });
}

async function setHalted(db: Reader, { name, generation }: Numbered, { position, reason }: Halted): Promise<void> {
  await db.query({
    text: `update ${SCHEMA}.projection_checkpoints set state = 'halted', halted_position = $3, halted_reason = $4
      where name = $1 and generation = $2`,
    values: [name, generation, position, reason.slice(0, 1000)],
  });
}

async function untilRunning(db: Reader, own: Numbered, clock: Clock, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    await clock.sleep(HALTED_POLL_MS, signal);
    if ((await generationOf(db, own))?.state !== 'halted') return;
  }
}

async function follow<Event>(
  running: Running<Event>,
  { generation, writer }: Task<Event>,
  signal: AbortSignal,
): Promise<void> {
  // Its place in the group must end with this attempt, also when no further event ever comes.
  const ending = new AbortController();
  try {
    const pages = running.group.follow(generation.position, AbortSignal.any([signal, ending.signal]));
    let restedAt = -Infinity;
    for await (const batch of joined(pages, BATCH_MAX)) {
      const isBusy = running.clock.now() - restedAt < BUSY_WITHIN_MS;
      const concerned = await writer.apply(batch);
      // A log that grows all the time is followed in fewer, larger steps; what comes alone is applied at once.
      if (isBusy && batch.length < LARGE_BATCH) await running.clock.sleep(concerned ? REST_MS : IDLE_REST_MS, signal);
      restedAt = running.clock.now();
    }
  } finally {
    ending.abort();
  }
}

async function build<Event>(running: Running<Event>, task: Task<Event>, signal: AbortSignal): Promise<void> {
  const { projection, generation, writer } = task;
  await catchUp(running, task, signal);
  if (signal.aborted) return;
  const comparison = await compareGeneration(running, projection, generation.generation, { signal });
  if (signal.aborted) return;
  const [difference] = comparison.differences;
  if (difference !== undefined) {
    const { table, key, column } = difference;
    throw new Halted(
      comparison.position,
      `the rebuilt tables differ from the fold of the log, first in ${table} ${key} ${column}`,
    );
  }
  while (!signal.aborted) {
    await catchUp(running, task, signal);
    if (signal.aborted) return;
    if (!(await takeOver(running, task))) continue;
    running.report({
      projection: projection.name,
      generation: generation.generation,
      kind: 'switched',
      position: writer.position,
      reason: 'rebuilt',
    });
    return;
  }
}

const liveOf = async (db: Reader, name: string): Promise<Generation> => {
  const live = (await generationsOf(db)).find((each) => each.name === name && each.role === 'live');
  if (live === undefined) throw new Fenced();
  return live;
};

/** Applies the log until the building generation has been where the live one is. */
async function catchUp<Event>(
  running: Running<Event>,
  { projection, writer }: Task<Event>,
  signal: AbortSignal,
): Promise<void> {
  const goal = (await liveOf(running.db, projection.name)).position;
  while (writer.position < goal && !signal.aborted) {
    const batch = await running.store.readAll(writer.position, BATCH_MAX);
    if (batch.length === 0) throw new Fenced('the log ends before the live projection');
    await writer.apply(projected(batch, running.decode));
  }
}

/**
 * One transaction: holds the live generation still, applies the few events that it is ahead, and switches. False when it is
 * too far ahead to be held that long.
 */
async function takeOver<Event>(
  running: Running<Event>,
  { projection, writer, generation: building }: Task<Event>,
): Promise<boolean> {
  return running.db.transaction(async (transaction) => {
    await transaction.query({
      text: `select 1 from ${SCHEMA}.projection_checkpoints where name = $1 order by generation for update`,
      values: [projection.name],
    });
    const live = await liveOf(transaction, projection.name);
    if (writer.position < live.position) {
      const batch = await running.store.readAll(writer.position, BATCH_MAX);
      const rest = batch.filter(({ position }) => position <= live.position);
      if (rest.at(-1)?.position !== live.position) return false;
      await writer.applyWithin(transaction, projected(rest, running.decode));
    }
    await switchTo(transaction, projection, live, building);
    return true;
  });
}
