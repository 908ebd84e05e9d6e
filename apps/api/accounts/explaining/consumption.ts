import { type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs';
import { EventStore, type RecordedEvent } from '#event-store/port/event-store.js';
import { assert } from '#kernel/assert.js';
import { Clock } from '#kernel/clock.js';
import { revisionInId } from '#kernel/ids.js';
import { accountStream, type StreamName } from '#kernel/stream-name.js';
import type { AccountEvent, AccountEventOf, BurnOrder } from '#ledger/account/events.js';
import { ranksIn, type RankedSlice } from '#ledger/account/reading/explanation.js';
import { ledgerCodec } from '#ledger/events.js';
import { grantUsesProjection } from '#projections/grant-uses/grant-uses.js';
import { reversalsOf, type ReversalEntry } from '#projections/grant-uses/queries.js';
import { FreshReads, type Fresh, type ReadRequest } from '../../reads/freshness.js';
import { LogReads } from '../../reads/log-reads.js';
import { withDeadline } from '../../reads/with-deadline.js';
import { PastAccounts } from '../reads/past-accounts.js';

type Consumed = AccountEventOf<'CreditsConsumed'> | AccountEventOf<'HoldCaptured'>;
export type ExplainedConsumption = {
  readonly stored: RecordedEvent;
  readonly event: Consumed;
  /** What placed the hold that it was captured from; null for a consumption without one. */
  readonly held: AccountEventOf<'CreditsHeld'> | null;
  readonly burnOrder: BurnOrder;
  readonly why: readonly RankedSlice[];
  readonly reversals: readonly ReversalEntry[];
};

/** A consumption with what was given back of it and why it was paid by these grants; null when the account has none of that id. */
export class GetConsumption extends Query<Fresh<ExplainedConsumption | null>> {
  constructor(
    readonly customerId: string,
    readonly unit: string,
    readonly consumptionId: string,
    readonly request: ReadRequest,
  ) {
    super();
  }
}

/** The id says where in the log a consumption stands. */
@QueryHandler(GetConsumption)
export class GetConsumptionHandler implements IQueryHandler<GetConsumption> {
  constructor(
    private readonly store: EventStore,
    private readonly accounts: PastAccounts,
    private readonly log: LogReads,
    private readonly reads: FreshReads,
    private readonly clock: Clock,
  ) {}

  async execute({ customerId, unit, consumptionId, request }: GetConsumption) {
    const asOf = await this.log.asOf(request);
    const stream = accountStream(customerId, unit);
    const revision = revisionInId('con', consumptionId);
    const found = revision === null ? null : await this.#eventAt(stream, revision);
    if (found === null || !isConsumed(found.event, consumptionId)) return { result: null, asOf };
    const { stored, event } = found;
    const held = event.type === 'HoldCaptured' ? await this.#holdOf(stream, event.holdId) : null;
    const burnOrder = event.type === 'CreditsConsumed' ? event.burnOrder : (held?.event.burnOrder ?? null);
    assert(burnOrder !== null, `consumption ${consumptionId} was chosen in no order`);
    const chosenAt = held === null ? stored.revision : held.stored.revision;
    const before = await this.accounts.load(stream, { revision: chosenAt - 1 });
    const chosen = event.allocations.map(({ grantId }) => grantId);
    const why = ranksIn(before.state, burnOrder, chosen);
    const { result: reversals, asOf: fresh } = await this.reads.read(request, grantUsesProjection.name, (reader) =>
      reversalsOf(reader, stream, stored.revision),
    );
    return { result: { stored, event, held: held?.event ?? null, burnOrder, why, reversals }, asOf: fresh };
  }

  async #eventAt(
    stream: StreamName,
    revision: number,
  ): Promise<{ readonly stored: RecordedEvent; readonly event: AccountEvent } | null> {
    const [stored] = await withDeadline(this.clock, this.store.readStream(stream, revision, 1));
    if (stored === undefined) return null;
    const event = ledgerCodec.decode<AccountEvent>(stored);
    assert(!('undecodable' in event), `event ${stored.id} cannot be read`);
    return { stored, event };
  }

  async #holdOf(stream: StreamName, holdId: string) {
    const revision = revisionInId('hold', holdId);
    const found = revision === null ? null : await this.#eventAt(stream, revision);
    assert(found?.event.type === 'CreditsHeld', `hold ${holdId} was never placed`);
    return { stored: found.stored, event: found.event };
  }
}

const isConsumed = (event: AccountEvent, id: string): event is Consumed =>
  (event.type === 'CreditsConsumed' || event.type === 'HoldCaptured') && event.consumptionId === id;
