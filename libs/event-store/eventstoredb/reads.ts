import type { AllStreamResolvedEvent, ResolvedEvent, StreamingRead } from '@eventstore/db-client';
import type { Clock } from '#kernel/clock.js';
import type { StreamName } from '#kernel/stream-name.js';
import { DeadlinePassed, within } from '../reading/deadline.js';
import { START, StoreUnavailable, type Position, type RecordedEvent } from '../port/event-store.js';
import type { EventStoreDbConnection } from './connection.js';
import { isMissingStream, reasonOf } from './errors.js';
import { isSystem, recordedOf, type ReceivedEvent } from './metadata.js';

/** A position as the client takes it. */
export const clientPosition = (position: Position): 'start' | { commit: bigint; prepare: bigint } =>
  position === START ? 'start' : { commit: BigInt(position), prepare: BigInt(position) };

/** How many events are read on when a page held nothing but the server's own. */
const NEXT_PAGE = 500;
const FIRST_PAGE_BACKWARDS = 8;

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
    const { client, credentials } = this.connection;
    const options = { fromRevision: BigInt(fromRevision), maxCount: limit, credentials };
    return this.#collect(client.readStream(stream, options), deadlineMs);
  }

  /** The newest event of a stream, or null. */
  async newestOf(stream: StreamName): Promise<RecordedEvent | null> {
    const { client, credentials } = this.connection;
    const read = client.readStream(stream, { fromRevision: 'end', direction: 'backwards', maxCount: 1, credentials });
    return (await this.#collect(read, this.limits.readDeadlineMs))[0] ?? null;
  }

  /** At most `limit` events of the log after `after` (exclusive); empty only at its end. */
  async readAll(after: Position, limit: number): Promise<readonly RecordedEvent[]> {
    let from = after;
    // The event at the position comes again.
    for (let maxCount = limit + 1; ; maxCount = Math.max(maxCount, NEXT_PAGE)) {
      const { client, credentials } = this.connection;
      const read = client.readAll({ fromPosition: clientPosition(from), maxCount, credentials });
      const events = await this.#collect(read, this.limits.readDeadlineMs);
      const newer = events.filter((event) => event.position > after && !isSystem(event)).slice(0, limit);
      const last = events.at(-1);
      if (newer.length > 0 || last === undefined || last.position === from) return newer;
      from = last.position;
    }
  }

  /** The newest event of the log, or null. */
  async newest(): Promise<RecordedEvent | null> {
    let fromPosition: 'end' | { commit: bigint; prepare: bigint } = 'end';
    for (let maxCount = FIRST_PAGE_BACKWARDS; ; maxCount = NEXT_PAGE) {
      const { client, credentials } = this.connection;
      const read = client.readAll({ fromPosition, direction: 'backwards', maxCount, credentials });
      const events: readonly RecordedEvent[] = await this.#collect(read, this.limits.readDeadlineMs);
      const own = events.find((event) => !isSystem(event));
      const last = events.at(-1);
      if (own !== undefined || last === undefined || events.length < maxCount) return own ?? null;
      fromPosition = { commit: BigInt(last.position), prepare: BigInt(last.position) };
    }
  }

  async #collect(
    read: StreamingRead<ResolvedEvent> | StreamingRead<AllStreamResolvedEvent>,
    deadlineMs: number,
  ): Promise<readonly RecordedEvent[]> {
    const events: ReceivedEvent[] = [];
    const reading = new Promise<void>((resolve, reject) => {
      read.on('data', ({ event }: ResolvedEvent | AllStreamResolvedEvent) => {
        if (event !== undefined) events.push(event);
      });
      read.on('end', resolve);
      read.on('error', reject);
    });
    try {
      await within(this.clock, deadlineMs, reading);
    } catch (error) {
      if (isMissingStream(error)) return [];
      if (!(error instanceof DeadlinePassed))
        throw new StoreUnavailable(`EventStoreDB refused a read: ${reasonOf(error)}`);
      read.cancel().catch(() => undefined);
      throw new StoreUnavailable('EventStoreDB did not answer a read in time');
    }
    return events.map(recordedOf);
  }
}
