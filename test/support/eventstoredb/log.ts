/** An event as the double keeps it. */
export type LogEvent = {
  readonly id: string;
  readonly stream: string;
  readonly revision: number;
  readonly position: bigint;
  readonly type: string;
  readonly contentType: string;
  readonly data: Uint8Array;
  readonly metadata: Uint8Array;
};

export type Proposed = Pick<LogEvent, 'id' | 'type' | 'contentType' | 'data' | 'metadata'>;

export type Decision =
  | { readonly kind: 'stored' | 'found'; readonly revision: number; readonly position: bigint }
  | { readonly kind: 'wrong_version'; readonly current: number };

/** The log of EventStoreDB 23.10 and its rules for appends with an exact expected revision. */
export class EventLog {
  readonly all: LogEvent[] = [];
  readonly #streams = new Map<string, LogEvent[]>();
  readonly #listeners = new Set<() => void>();
  #end = 1_000n;

  stream(name: string): readonly LogEvent[] {
    return this.#streams.get(name) ?? [];
  }

  /**
   * Expected revision below the newest: the same ids in the same order after it mean that it was stored before; anything else is
   * a wrong version, a partial overlap too. `expected` is -1 for no stream.
   */
  append(stream: string, expected: number, events: readonly Proposed[]): Decision {
    const existing = this.#streams.get(stream) ?? [];
    const current = existing.length - 1;
    if (expected < current) {
      const same = events.length > 0 && events.every((event, index) => existing[expected + 1 + index]?.id === event.id);
      const last = existing[expected + events.length];
      return same && last
        ? { kind: 'found', revision: last.revision, position: last.position }
        : { kind: 'wrong_version', current };
    }
    if (expected > current) return { kind: 'wrong_version', current };
    for (const event of events) {
      const stored = { ...event, stream, revision: existing.length, position: this.#end };
      // Positions grow by the length of a record, which is the server's own business: here by steps without a rule.
      this.#end += BigInt(100 + ((this.all.length * 7_919) % 1_009));
      existing.push(stored);
      this.all.push(stored);
    }
    this.#streams.set(stream, existing);
    for (const listener of [...this.#listeners]) listener();
    const last = existing.at(-1)!;
    return { kind: 'stored', revision: last.revision, position: last.position };
  }

  /** Where in `all` the events at or after a position begin. A position inside a record is an error, as it is there. */
  indexOf(position: bigint): number {
    let low = 0;
    for (let high = this.all.length; low < high;) {
      const middle = (low + high) >> 1;
      if (this.all[middle]!.position < position) low = middle + 1;
      else high = middle;
    }
    if (low < this.all.length && this.all[low]!.position !== position && position > 0n)
      throw new Error('a position inside a record');
    return low;
  }

  onAppend(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}
