import type { Position, RecordedEvent } from './event-store.js';

/**
 * What is read of the log: all of it up to the event at `through`, dealt out into `of` shares. All streams of one name, whatever
 * their category and unit, are in the same share: `account-acme`, `account-acme.tokens` and `customer-acme`.
 */
export type LogShares = { readonly databaseUrl: string; readonly of: number; readonly through: Position };

/** Some events of one share, in the order of the log and in the store's own form. */
export type ShareBytes = Uint8Array<SharedArrayBuffer>;

/** Who works on the shares. */
export interface ShareTakers {
  /** Takes the next events of a share. Reading goes on once the promise, if it answers one, is settled. */
  take(share: number, bytes: ShareBytes): Promise<void> | undefined;
  /**
   * Memory for the next bytes, of any length: best what has been taken before and is not needed any more. Shared, because memory
   * that goes to and fro between threads has each of them look for garbage all the time.
   */
  room(): SharedArrayBuffer;
}

/** Events with the hash of each one's bytes as they are stored: it must be the one that the event is stored with. */
export type HashedEvents = { readonly events: readonly RecordedEvent[]; readonly contentHashes: readonly string[] };
