import type { Json } from '#kernel/json.js';
import type { StreamName } from '#kernel/stream-name.js';
import type { Position } from './event-store.js';

/** A folded state, kept to shorten a later load. `head` describes its newest event: what a writer needs to go on from there. */
export type Snapshot = {
  readonly stream: StreamName;
  readonly version: number;
  readonly revision: number;
  readonly head: { readonly hash: string; readonly recordedAt: string; readonly position: Position };
  readonly state: Json;
};

/** Which events a snapshot may include: none after any of these. */
export type SnapshotBound = {
  readonly recordedAt?: string;
  readonly position?: Position;
  readonly revision?: number;
};

/** A large snapshot is taken more rarely: one event more for so many characters. So all of a stream stay small beside its events. */
const CHARACTERS_PER_EVENT = 100;

/** How many events after one another two snapshots of a stream are taken, the first of them so large. */
export const eventsBetween = (state: Json, atLeast: number): number =>
  Math.max(atLeast, JSON.stringify(state).length / CHARACTERS_PER_EVENT);

/** Where snapshots are kept. Losing one costs time, never truth; so failures of `save` are the caller's to ignore. */
export abstract class SnapshotStore {
  /** The newest snapshot of the stream in this version, within the bound; null when there is none. */
  abstract load(stream: StreamName, version: number, bound?: SnapshotBound): Promise<Snapshot | null>;
  /** Keeps `snapshot` beside the others of the stream in its version; those of older versions go. Nothing against a newer version. */
  abstract save(snapshot: Snapshot): Promise<void>;
}
