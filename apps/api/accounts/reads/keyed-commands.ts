import { Injectable } from '@nestjs/common';
import { eventId } from '#event-store/port/encode-event.js';
import { EventStore, START, type Position, type RecordedEvent } from '#event-store/port/event-store.js';
import { assert } from '#kernel/assert.js';
import { Clock } from '#kernel/clock.js';
import { accountStream, type StreamName } from '#kernel/stream-name.js';
import type { AccountEvent } from '#ledger/account/events.js';
import { ledgerCodec } from '#ledger/events.js';
import { EventFinder } from '../../reads/event-finder.js';
import type { ReadRequest } from '../../reads/freshness.js';
import { withDeadline } from '../../reads/with-deadline.js';

/** What a command recorded under its key. All empty where there is no such command. */
export type KeyedCommand = {
  readonly grants: readonly string[];
  readonly holds: readonly string[];
  readonly consumptions: readonly string[];
  /** The places of all its events, oldest first. */
  readonly positions: readonly Position[];
};

/** Most commands record one or two events. */
const PAGE = 8;

/** Finds what a caller's command recorded by its Idempotency-Key: the ids of its events follow from the key. */
@Injectable()
export class KeyedCommands {
  constructor(
    private readonly store: EventStore,
    private readonly finder: EventFinder,
    private readonly clock: Clock,
  ) {}

  /** Errors: StoreUnavailable, and the problem `projection_behind` as EventFinder has it. */
  async find(customerId: string, unit: string, key: string): Promise<KeyedCommand> {
    const stream = accountStream(customerId, unit);
    const events = await this.#eventsOf(stream, key);
    return {
      grants: events.flatMap(({ event }) => grantIn(event)),
      holds: [...new Set(events.flatMap(({ event }) => holdIn(event)))],
      consumptions: events.flatMap(({ event }) => ('consumptionId' in event ? [event.consumptionId] : [])),
      positions: events.map(({ stored }) => stored.position),
    };
  }

  async #eventsOf(stream: StreamName, key: string): Promise<readonly { stored: RecordedEvent; event: AccountEvent }[]> {
    const first = await this.finder.find(eventId(stream, 'api', key, 0));
    if (first === null) return [];
    const found: { stored: RecordedEvent; event: AccountEvent }[] = [];
    for (let own = PAGE; own === PAGE;) {
      const from = first.revision + found.length;
      const page = await withDeadline(this.clock, this.store.readStream(stream, from, PAGE));
      own = page.findIndex(({ id }, index) => id !== eventId(stream, 'api', key, found.length + index));
      if (own < 0) own = page.length;
      for (const stored of page.slice(0, own)) found.push({ stored, event: decoded(stored) });
    }
    return found;
  }
}

function decoded(stored: RecordedEvent): AccountEvent {
  const event = ledgerCodec.decode<AccountEvent>(stored);
  assert(!('undecodable' in event), `event ${stored.id} cannot be read`);
  return event;
}

/** What goes on of a month is granted by time, whichever command recorded it. */
const grantIn = (event: AccountEvent): readonly string[] =>
  event.type === 'CreditsGranted' && event.rolledOverFrom === undefined ? [event.grantId] : [];

/** What times out is closed by time. */
function holdIn(event: AccountEvent): readonly string[] {
  if (event.type === 'HoldReleased') return event.reason === 'expired' ? [] : [event.holdId];
  return 'holdId' in event ? [event.holdId] : [];
}

/** The request with read models at least as fresh as the command. */
export function freshAs(request: ReadRequest, { positions }: KeyedCommand): ReadRequest {
  const last = positions.at(-1) ?? START;
  return last > (request.minPosition ?? START) ? { ...request, minPosition: last } : request;
}
