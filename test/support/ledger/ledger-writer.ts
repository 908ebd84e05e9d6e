import { isRefused, type Decider, type Refused } from '#kernel/decider.js';
import { encodeEvent, eventId, ZERO_HASH } from '#event-store/port/encode-event.js';
import type { EncodedEvent, EventStore, Position } from '#event-store/port/event-store.js';
import { accountDecider } from '#ledger/account/account.js';
import type { AccountState } from '#ledger/account/state.js';
import { catalogDecider } from '#ledger/catalog.js';
import { customerDecider } from '#ledger/customer.js';
import { dataToStore, schemaVersionOf, type LedgerEvent } from '#ledger/events.js';
import { stripeEventDecider } from '#ledger/stripe/event.js';

/** Any command of any category, unchecked. */
export type AnyCommand = { readonly type: string; readonly [field: string]: unknown };
type AnyDecider = Decider<{ readonly type: string }, LedgerEvent, unknown, Refused>;
type Stream = { state: unknown; log: LedgerEvent[]; hash: string; waiting: EncodedEvent[] };

const deciders = [
  accountDecider,
  customerDecider,
  catalogDecider,
  stripeEventDecider,
] as unknown as readonly AnyDecider[];

/** Writes a log by the ledger's own rules, without the write path: one writer, whole streams in memory, times as told. */
export class LedgerWriter {
  readonly #streams = new Map<string, Stream>();

  constructor(
    private readonly store: EventStore,
    private readonly actor = 'key:test',
  ) {}

  /** Decides and keeps the events for the next `flush`. Answers them, none when the command was refused. */
  decide(stream: string, command: AnyCommand, at: string): readonly LedgerEvent[] {
    const decider = deciders.find(({ category }) => stream.startsWith(category))!;
    const known = this.#stream(stream, decider);
    const commandId = eventId(stream, 'api', String(known.log.length), 0);
    const needed = decider.needs?.(known.state, command) ?? null;
    const past = needed === null ? null : (known.log[needed] ?? null);
    const decision = decider.decide(known.state, command, { at, revision: known.log.length, commandId, past });
    if (isRefused(decision)) return [];
    const key = `key-${String(known.log.length)}`;
    for (const [index, event] of decision.entries()) this.#keep(stream, known, decider, event, key, index);
    return decision;
  }

  /** Appends an event as it is, valid or not. */
  async appendRaw(stream: string, event: { type: string; data: string; schemaVersion?: number }): Promise<Position> {
    const known = this.#stream(stream, deciders[0]!);
    await this.flush();
    const revision = known.log.length;
    const encoded = encodeEvent(stream, revision, known.hash, {
      id: eventId(stream, 'api', `raw-${String(revision)}`, 0),
      type: event.type,
      schemaVersion: event.schemaVersion ?? 1,
      data: {},
      metadata: this.#metadata(null, '2026-01-01T00:00:00.000Z'),
    });
    const result = await this.store.append({
      stream,
      expectedRevision: revision - 1,
      events: [{ ...encoded, data: event.data }],
    });
    if (result.kind !== 'appended') throw new Error(`append: ${result.kind}`);
    known.log.push({} as LedgerEvent);
    return result.position;
  }

  /** Writes what was decided; answers the position of the last event. */
  async flush(): Promise<Position> {
    let last = '';
    const writes = [...this.#streams].map(async ([stream, known]) => {
      const events = known.waiting;
      if (events.length === 0) return;
      known.waiting = [];
      const result = await this.store.append({
        stream,
        expectedRevision: known.log.length - events.length - 1,
        events,
      });
      if (result.kind !== 'appended') throw new Error(`append: ${result.kind}`);
      if (result.position > last) last = result.position;
    });
    await Promise.all(writes);
    return last === '' ? this.store.head() : last;
  }

  /** Decides and writes. */
  async run(stream: string, command: AnyCommand, at: string): Promise<readonly LedgerEvent[]> {
    const events = this.decide(stream, command, at);
    await this.flush();
    return events;
  }

  account(stream: string): AccountState {
    return this.#streams.get(stream)!.state as AccountState;
  }

  get streams(): readonly string[] {
    return [...this.#streams.keys()];
  }

  #stream(stream: string, decider: AnyDecider): Stream {
    let known = this.#streams.get(stream);
    if (known === undefined) {
      known = { state: decider.initial(stream), log: [], hash: ZERO_HASH, waiting: [] };
      this.#streams.set(stream, known);
    }
    return known;
  }

  #keep(stream: string, known: Stream, decider: AnyDecider, event: LedgerEvent, key: string, index: number): void {
    const revision = known.log.length;
    known.state = decider.evolve(known.state, event, revision);
    const encoded = encodeEvent(stream, revision, known.hash, {
      id: eventId(stream, 'api', key, index),
      type: event.type,
      schemaVersion: schemaVersionOf(event.type),
      data: dataToStore(event),
      metadata: this.#metadata(key, event.at),
    });
    known.log.push(event);
    known.hash = encoded.hash;
    known.waiting.push(encoded);
  }

  #metadata(commandKey: string | null, recordedAt: string) {
    return { commandKey, commandHash: null, causationId: null, correlationId: 'test', actor: this.actor, recordedAt };
  }
}
