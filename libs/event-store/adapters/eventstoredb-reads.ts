import shared from '@eventstore/db-client/generated/shared_pb.js';
import streams, { type ReadReq } from '@eventstore/db-client/generated/streams_pb.js';
import type { Clock } from '#kernel/clock.js';
import type { StreamName } from '#kernel/stream-name.js';
import { START, StoreUnavailable, type Position, type RecordedEvent } from '../event-store.js';
import { DeadlinePassed, within } from './deadline.js';
import type { EventStoreDbConnection } from './eventstoredb-connection.js';
import { decodeRead, READS, streamIdentifier } from './eventstoredb-wire.js';

/** What an answer brings. */
export type Answered = { readonly event: RecordedEvent | null };
/** A read or a subscription under way; its data are `Answered`. */
export type ReadCall = Awaited<ReturnType<typeof startRead>>;

const { Options } = streams.ReadReq;

/** Reads of a known length; each ends within the deadline. Errors: StoreUnavailable. */
export class EventStoreDbReads {
  constructor(
    private readonly connection: EventStoreDbConnection,
    private readonly clock: Clock,
    private readonly limits: { readonly readDeadlineMs: number },
  ) {}

  /** At most `limit` events of a stream from `fromRevision` (inclusive), or none. */
  readStream(
    stream: StreamName,
    fromRevision: number,
    limit: number,
    deadlineMs = this.limits.readDeadlineMs,
  ): Promise<readonly RecordedEvent[]> {
    const from = new Options.StreamOptions()
      .setStreamIdentifier(streamIdentifier(stream))
      .setRevision(String(fromRevision));
    return this.#collect(optionsOf(limit).setStream(from), deadlineMs);
  }

  /** The newest event of a stream, or null. */
  async newestOf(stream: StreamName): Promise<RecordedEvent | null> {
    const from = new Options.StreamOptions().setStreamIdentifier(streamIdentifier(stream)).setEnd(new shared.Empty());
    const events = await this.#collect(
      optionsOf(1).setStream(from).setReadDirection(BACKWARDS),
      this.limits.readDeadlineMs,
    );
    return events[0] ?? null;
  }

  /** At most `limit` events of the log after `after` (exclusive); empty only at its end. */
  async readAll(after: Position, limit: number): Promise<readonly RecordedEvent[]> {
    for (let from = after; ;) {
      const events = await this.#collect(allFrom(from, optionsOf(limit + 1)), this.limits.readDeadlineMs);
      const newer = events.filter((event) => event.position > after && !isSystem(event)).slice(0, limit);
      const last = events.at(-1);
      if (newer.length > 0 || !last || last.position === from) return newer;
      from = last.position;
    }
  }

  /** The newest event of the log, or null. */
  async newest(): Promise<RecordedEvent | null> {
    const all = new Options.AllOptions().setEnd(new shared.Empty());
    const options = optionsOf(1).setAll(all).setFilter(withoutSystemStreams()).setReadDirection(BACKWARDS);
    const events = await this.#collect(options, this.limits.readDeadlineMs);
    return events[0] ?? null;
  }

  async #collect(options: ReadReq.Options, deadlineMs: number): Promise<RecordedEvent[]> {
    const starting = startRead(this.connection, new streams.ReadReq().setOptions(options));
    try {
      return await within(this.clock, deadlineMs, starting.then(eventsOf));
    } catch (error) {
      if (error instanceof DeadlinePassed) throw new StoreUnavailable('EventStoreDB did not answer a read in time');
      throw error;
    } finally {
      starting.then((call) => call.cancel()).catch(() => undefined);
    }
  }
}

const BACKWARDS = 1;

function optionsOf(limit: number): ReadReq.Options {
  const uuids = new Options.UUIDOption().setString(new shared.Empty());
  return new Options().setUuidOption(uuids).setCount(String(limit)).setNoFilter(new shared.Empty());
}

function withoutSystemStreams(): ReadReq.Options.FilterOptions {
  const filter = new Options.FilterOptions().setCount(new shared.Empty()).setCheckpointintervalmultiplier(1000);
  return filter.setStreamIdentifier(new Options.FilterOptions.Expression().setRegex('^[^$]'));
}

/** The options that read the log from `from`, whose own event comes again; the server's own streams are left out. */
function allFrom(from: Position, options: ReadReq.Options): ReadReq.Options {
  const all = new Options.AllOptions();
  if (from === START) all.setStart(new shared.Empty());
  else
    all.setPosition(
      new Options.Position().setCommitPosition(String(BigInt(from))).setPreparePosition(String(BigInt(from))),
    );
  return options.setAll(all).setFilter(withoutSystemStreams());
}

/** The options of a subscription to what comes after `after`. */
export function subscriptionAfter(after: Position): ReadReq {
  const uuids = new Options.UUIDOption().setString(new shared.Empty());
  const options = new Options().setUuidOption(uuids).setSubscription(new Options.SubscriptionOptions());
  return new streams.ReadReq().setOptions(allFrom(after, options));
}

/** What the server itself writes into the streams of others, such as the mark of a deleted stream. */
export const isSystem = (event: RecordedEvent): boolean => event.type.startsWith('$');

/** Begins a read or a subscription. An answer that is no message ends the call with an error, as any other fault of it. */
export function startRead(connection: EventStoreDbConnection, request: ReadReq) {
  return connection.start((stub, ...args) =>
    stub.makeServerStreamRequest(
      READS,
      (message: ReadReq) => Buffer.from(message.serializeBinary()),
      (bytes): Answered => ({ event: decodeRead(bytes) }),
      request,
      ...args,
    ),
  );
}

function eventsOf(call: ReadCall): Promise<RecordedEvent[]> {
  return new Promise((resolve, reject) => {
    const events: RecordedEvent[] = [];
    call.on('data', ({ event }: Answered) => {
      if (event) events.push(event);
    });
    call.on('end', () => resolve(events));
    call.on('error', (error: Error) => reject(new StoreUnavailable(`EventStoreDB refused a read: ${error.message}`)));
  });
}
