import { type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs';
import { EventStore } from '#event-store/port/event-store.js';
import { assert } from '#kernel/assert.js';
import { Clock } from '#kernel/clock.js';
import type { Instant } from '#kernel/instant.js';
import { accountStream, type StreamName } from '#kernel/stream-name.js';
import { timePassed } from '#ledger/account/at.js';
import type { AccountEvent } from '#ledger/account/events.js';
import { basisFrom, basisOf, forecastOf, type Forecast, type ForecastBasis } from '#ledger/account/reading/forecast.js';
import { ledgerCodec } from '#ledger/events.js';
import type { AsOf, ReadRequest } from '../../reads/freshness.js';
import { LogReads } from '../../reads/log-reads.js';
import { withDeadline } from '../../reads/with-deadline.js';
import { BalanceHistory } from './balance-history.js';
import { PastAccounts } from './past-accounts.js';

export type AccountForecast = Forecast & {
  readonly customerId: string;
  readonly unit: string;
  readonly available: number;
  readonly basis: ForecastBasis;
  readonly asOf: AsOf;
};

/** How long the credits of an account last as it consumes now; null for a customer never heard of. */
export class GetForecast extends Query<AccountForecast | null> {
  constructor(
    readonly customerId: string,
    readonly unit: string,
    readonly request: ReadRequest,
  ) {
    super();
  }
}

/** From the log alone: the account as it is, and as it was where the basis begins. */
@QueryHandler(GetForecast)
export class GetForecastHandler implements IQueryHandler<GetForecast> {
  constructor(
    private readonly store: EventStore,
    private readonly accounts: PastAccounts,
    private readonly history: BalanceHistory,
    private readonly log: LogReads,
    private readonly clock: Clock,
  ) {}

  async execute({ customerId, unit, request }: GetForecast): Promise<AccountForecast | null> {
    const asOf = await this.log.asOf(request);
    const stream = accountStream(customerId, unit);
    const found = await this.history.accountNow(customerId, unit);
    if (found === null) return null;
    const { account, now: to } = found;
    const openedAt = await this.#openedAt(stream);
    const from = basisFrom(openedAt, to);
    // Nothing was consumed before the account was opened.
    const before = openedAt === null || openedAt >= from ? null : await this.accounts.load(stream, { at: from });
    const { state } = timePassed(account.state, to, account.revision);
    const basis = basisOf(before?.state ?? null, state, { from, to });
    return { customerId, unit, available: state.balance.available, ...forecastOf(state, basis), basis, asOf };
  }

  async #openedAt(stream: StreamName): Promise<Instant | null> {
    const [first] = await withDeadline(this.clock, this.store.readStream(stream, 0, 1));
    if (first === undefined) return null;
    const event = ledgerCodec.decode<AccountEvent>(first);
    assert(!('undecodable' in event), `event ${first.id} cannot be read`);
    return event.at;
  }
}
