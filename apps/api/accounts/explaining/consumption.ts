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
import { raisesOf, reversalsOf, type ReversalEntry } from '#projections/grant-uses/queries.js';
import { FreshReads, type Fresh, type ReadRequest } from '../../reads/freshness.js';
import { LogReads } from '../../reads/log-reads.js';
import { withDeadline } from '../../reads/with-deadline.js';
import { PastAccounts } from '../reads/past-accounts.js';

type Consumed = AccountEventOf<'CreditsConsumed'> | AccountEventOf<'HoldCaptured'>;
/** What chose slices, and where it stands in the stream. */
type Choice = {
  readonly event: AccountEventOf<'CreditsConsumed'> | AccountEventOf<'CreditsHeld'> | AccountEventOf<'HoldRaised'>;
  readonly revision: number;
};
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
    // The consumption is in the log: so shall be what the read model knows of its hold.
    const { minPosition } = request;
    const known = minPosition !== null && minPosition > stored.position ? minPosition : stored.position;
    const fresh = { ...request, minPosition: known };
    const read = await this.reads.read(fresh, grantUsesProjection.name, async (reader) => ({
      reversals: await reversalsOf(reader, stream, stored.revision),
      raises: event.type === 'HoldCaptured' ? await raisesOf(reader, stream, event.holdId) : [],
    }));
    const { reversals, raises } = read.result;
    const choices = await this.#choicesOf(stream, event, stored.revision, raises);
    const why = await this.#ranksOf(stream, event, choices);
    const held = choices.flatMap(({ event: chosen }) => (chosen.type === 'CreditsHeld' ? [chosen] : []))[0] ?? null;
    const burnOrder = orderOf(choices.at(-1)?.event ?? event);
    return { result: { stored, event, held, burnOrder, why, reversals }, asOf: read.asOf };
  }

  /** The events that chose the slices of a consumption: itself, or what placed and raised its hold. */
  async #choicesOf(
    stream: StreamName,
    event: Consumed,
    revision: number,
    raises: readonly number[],
  ): Promise<readonly Choice[]> {
    if (event.type === 'CreditsConsumed') return [{ event, revision }];
    const placed = revisionInId('hold', event.holdId);
    assert(placed !== null, `hold ${event.holdId} was never placed`);
    const chosen: Choice[] = [];
    for (const at of [placed, ...raises.filter((raise) => raise < revision)]) {
      const found = await this.#eventAt(stream, at);
      const type = found?.event.type;
      assert(type === 'CreditsHeld' || type === 'HoldRaised', `hold ${event.holdId} was not changed at ${String(at)}`);
      chosen.push({ event: found?.event as Choice['event'], revision: at });
    }
    return chosen;
  }

  /** Each grant that paid is ranked where it was chosen first. */
  async #ranksOf(stream: StreamName, event: Consumed, choices: readonly Choice[]): Promise<readonly RankedSlice[]> {
    const open = new Set(event.allocations.map(({ grantId }) => grantId));
    const ranks = new Map<string, RankedSlice>();
    for (const { event: choice, revision } of choices) {
      const chosen = choice.allocations.map(({ grantId }) => grantId).filter((grantId) => open.delete(grantId));
      if (chosen.length === 0) continue;
      const before = await this.accounts.load(stream, { revision: revision - 1 });
      for (const rank of ranksIn(before.state, orderOf(choice), chosen)) ranks.set(rank.grantId, rank);
    }
    return event.allocations.flatMap(({ grantId }) => ranks.get(grantId) ?? []);
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
}

const isConsumed = (event: AccountEvent, id: string): event is Consumed =>
  (event.type === 'CreditsConsumed' || event.type === 'HoldCaptured') && event.consumptionId === id;

/** By which order slices were chosen. What claims reserve is never consumed. */
function orderOf(event: Choice['event'] | Consumed): BurnOrder {
  const order = 'burnOrder' in event ? event.burnOrder : null;
  assert(order !== null, 'a consumption was chosen in no order');
  return order;
}
