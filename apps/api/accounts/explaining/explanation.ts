import { type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs';
import { START, type Position } from '#event-store/port/event-store.js';
import type { Instant } from '#kernel/instant.js';
import { accountStream } from '#kernel/stream-name.js';
import { timePassed } from '#ledger/account/at.js';
import { explanationOf, UseCounts, type Explanation } from '#ledger/account/reading/explanation.js';
import { grantUsesProjection } from '#projections/grant-uses/grant-uses.js';
import { useCountsUntil } from '#projections/grant-uses/queries.js';
import { FreshReads, type AsOf, type ReadRequest } from '../../reads/freshness.js';
import { LogReads } from '../../reads/log-reads.js';
import { BalanceHistory, type PastMoment } from '../reads/balance-history.js';

export type AccountExplanation = Explanation & {
  readonly customerId: string;
  readonly unit: string;
  readonly at: Instant;
  readonly position: Position;
  readonly asOf: AsOf;
};

/** Why a balance is what it is, now or at a moment of the past; null for a customer never heard of. */
export class GetExplanation extends Query<AccountExplanation | null> {
  constructor(
    readonly customerId: string,
    readonly unit: string,
    readonly moment: PastMoment | null,
    readonly request: ReadRequest,
  ) {
    super();
  }
}

/**
 * From the log what has become of each grant, from the read model how often it was used by then: the two are of one event, for the read model
 * is waited for, and asked up to it.
 */
@QueryHandler(GetExplanation)
export class GetExplanationHandler implements IQueryHandler<GetExplanation> {
  constructor(
    private readonly history: BalanceHistory,
    private readonly log: LogReads,
    private readonly reads: FreshReads,
  ) {}

  async execute({ customerId, unit, moment, request }: GetExplanation): Promise<AccountExplanation | null> {
    await this.log.reachedFor(request, moment !== null && 'position' in moment ? moment.position : START);
    const found = await (moment === null
      ? this.history.accountNow(customerId, unit)
      : this.history.accountAt(customerId, unit, moment));
    if (found === null) return null;
    const { account, now } = found;
    const { revision, position, head } = account;
    const grants = [...account.state.grants.values()].map(({ id }) => id);
    const { result } = await this.reads.read({ ...request, minPosition: head }, grantUsesProjection.name, (reader) =>
      useCountsUntil(reader, accountStream(customerId, unit), revision, grants),
    );
    const { state, events } = timePassed(account.state, now, revision);
    const counts = new UseCounts(result);
    for (const event of events) counts.add(event);
    const explanation = explanationOf(state, (grantId) => counts.of(grantId));
    return { customerId, unit, at: now, position, ...explanation, asOf: { position, time: now } };
  }
}
