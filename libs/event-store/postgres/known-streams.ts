import type { AppendRequest } from '../port/event-store.js';

/** An event as the newest of the log. */
export type End = { readonly position: number; readonly hash: string };

/** A flush that is sent and not answered. */
export type FlushUnderWay = { readonly events: number; readonly lastHash: string };

const maxStreams = 50_000;

/**
 * Where the streams stand that this process wrote: true as long as the newest event of the log is the one that it stored last.
 * The log is never cut, so a stream cannot stand before; whether somebody else has written since, only the database knows.
 */
export class KnownStreams {
  readonly #revisions = new Map<string, number>();
  #end: End | null = null;

  /** True when the stream stands where the append expects it, as far as is known. */
  include({ stream, expectedRevision }: AppendRequest): boolean {
    return this.#revisions.get(stream) === expectedRevision;
  }

  /**
   * How the log ends for a flush behind the one under way, if nobody else writes and all of that one is stored. Others may fill just as many
   * places as it left empty: then this end does not tell, and the unique index does.
   */
  endAfter(underWay: FlushUnderWay | undefined): End | null {
    if (this.#end === null || underWay === undefined) return this.#end;
    return { position: this.#end.position + underWay.events, hash: underWay.lastHash };
  }

  /** What an answered flush stored, right after the position `head`. */
  stored(head: number, requests: readonly AppendRequest[]): void {
    if (head !== this.#end?.position) this.#revisions.clear(); // somebody else has written, or answers came in another order
    let position = head;
    for (const { stream, expectedRevision, events } of requests) {
      this.#revisions.set(stream, expectedRevision + events.length);
      position += events.length;
    }
    const last = requests.at(-1)?.events.at(-1);
    if (last !== undefined) this.#end = { position, hash: last.hash };
    for (const oldest of this.#revisions.keys()) {
      if (this.#revisions.size <= maxStreams) break;
      this.#revisions.delete(oldest);
    }
  }

  /** After a connection was lost: the server that answers next may have been set back to an older copy of its data. */
  forget(): void {
    this.#revisions.clear();
    this.#end = null;
  }
}
