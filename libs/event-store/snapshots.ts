import type { Json } from '#kernel/json.js';
import type { StreamName } from '#kernel/stream-name.js';

/** A folded state, kept to shorten a later load. `head` is what the writer needs to go on from there. */
export type Snapshot = {
  readonly stream: StreamName;
  readonly version: number;
  readonly revision: number;
  readonly head: { readonly hash: string; readonly recordedAt: string };
  readonly state: Json;
};

/** Where snapshots are kept. Losing one costs time, never truth; so failures of `save` are the caller's to ignore. */
export abstract class SnapshotStore {
  /** The newest snapshot of the stream in this version, or null. */
  abstract load(stream: StreamName, version: number): Promise<Snapshot | null>;
  /** Keeps `snapshot` instead of an older one of the stream. */
  abstract save(snapshot: Snapshot): Promise<void>;
}
