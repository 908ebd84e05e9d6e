import { metadataText, type EventStore, type Position } from '#event-store/port/event-store.js';
import { msOf } from '#kernel/instant.js';
import { generationsOf, type Generation } from './generations.js';
import type { Reader } from '../database/database.js';

export type ProjectionStatus = {
  readonly name: string;
  readonly version: number;
  readonly generation: number;
  readonly role: Generation['role'];
  readonly state: 'running' | 'halted';
  readonly position: Position;
  readonly head: Position;
  /** How long the oldest event that is not applied yet has been in the log; 0 when there is none. */
  readonly lagSeconds: number;
  readonly haltedPosition: Position | null;
  readonly haltedReason: string | null;
  readonly rebuildRequested: boolean;
};

/**
 * How far every projection is, the generations being built included.
 * @param now milliseconds since the epoch. Errors: DatabaseError, StoreUnavailable.
 */
export async function projectionStatus(
  reader: Reader,
  store: EventStore,
  now: number,
): Promise<readonly ProjectionStatus[]> {
  const generations = (await generationsOf(reader)).filter(({ role }) => role !== 'retired');
  const head = await store.head();
  return Promise.all(
    generations.map(async ({ tables: _tables, ...generation }) => ({
      ...generation,
      head,
      lagSeconds: await lagOf(store, generation.position, head, now),
    })),
  );
}

async function lagOf(store: EventStore, position: Position, head: Position, now: number): Promise<number> {
  if (position >= head) return 0;
  const [next] = await store.readAll(position, 1);
  return next === undefined ? 0 : Math.max(0, (now - msOf(metadataText(next, 'recordedAt'))) / 1000);
}
