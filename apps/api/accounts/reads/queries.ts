import { type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs';
import { START } from '#event-store/port/event-store.js';
import { Clock } from '#kernel/clock.js';
import { msOf } from '#kernel/instant.js';
import {
  grantsOf,
  holdsOf,
  type AccountFilter,
  type GrantEntry,
  type GrantStatus,
  type HoldEntry,
  type HoldStatus,
} from '#projections/balances/lists.js';
import { AccountLog } from '#projections/balances/account-log.js';
import {
  balanceOf,
  BalanceReader,
  isKnownCustomer,
  settingsOf,
  type AccountBalance,
  type AccountSettings,
} from '#projections/balances/queries.js';
import { balances } from '#projections/balances/balances.js';
import { claimsProjection } from '#projections/claims/claims.js';
import { claimsOf, type Claim, type ClaimFilter } from '#projections/claims/queries.js';
import { historyProjection } from '#projections/history/history.js';
import { historyOf, type HistoryEntry, type HistoryFilter, type HistoryStart } from '#projections/history/queries.js';
import type { Cursor, Page } from '#database/page.js';
import { customersProjection } from '#projections/customers/customers.js';
import { Problem } from '../../http/problem.js';
import { FreshReads, type Fresh, type ReadRequest } from '../../reads/freshness.js';
import { LogReads } from '../../reads/log-reads.js';
import { BalanceHistory, type PastMoment } from './balance-history.js';

/** The balance now; null for a customer never heard of. */
export class GetBalance extends Query<AccountBalance | null> {
  constructor(
    readonly customerId: string,
    readonly unit: string,
    readonly request: ReadRequest,
  ) {
    super();
  }
}

@QueryHandler(GetBalance)
export class GetBalanceHandler implements IQueryHandler<GetBalance> {
  constructor(
    private readonly reads: FreshReads,
    private readonly batched: BalanceReader,
    private readonly log: AccountLog,
    private readonly clock: Clock,
  ) {}

  async execute({ customerId, unit, request }: GetBalance): Promise<AccountBalance | null> {
    await this.reads.reached(request, balances.name);
    const now = this.clock.now();
    if (request.ownCustomerId === null) return this.batched.balanceOf(customerId, unit, now);
    return this.reads.as(request, (reader) => balanceOf(reader, this.log, { customerId, unit }, now));
  }
}

/** What is set for an account; null for a customer never heard of. */
export class GetAccount extends Query<Fresh<AccountSettings | null>> {
  constructor(
    readonly customerId: string,
    readonly unit: string,
    readonly request: ReadRequest,
  ) {
    super();
  }
}

@QueryHandler(GetAccount)
export class GetAccountHandler implements IQueryHandler<GetAccount> {
  constructor(private readonly reads: FreshReads) {}

  async execute({ customerId, unit, request }: GetAccount): Promise<Fresh<AccountSettings | null>> {
    await this.reads.reached(request, customersProjection.name);
    return this.reads.read(request, balances.name, async (reader) =>
      (await isKnownCustomer(reader, customerId, unit)) ? settingsOf(reader, { customerId, unit }) : null,
    );
  }
}

/** A balance of the past, from the log alone; null for a customer never heard of. */
export class GetBalanceAt extends Query<AccountBalance | null> {
  constructor(
    readonly customerId: string,
    readonly unit: string,
    readonly moment: PastMoment,
    readonly request: ReadRequest,
  ) {
    super();
  }
}

@QueryHandler(GetBalanceAt)
export class GetBalanceAtHandler implements IQueryHandler<GetBalanceAt> {
  constructor(
    private readonly history: BalanceHistory,
    private readonly log: LogReads,
  ) {}

  async execute({ customerId, unit, moment, request }: GetBalanceAt): Promise<AccountBalance | null> {
    await this.log.reachedFor(request, 'position' in moment ? moment.position : START);
    return this.history.balanceAt(customerId, unit, moment);
  }
}

/** Which rows of a list, how many, and for whom. */
type Listing<Filter> = {
  readonly filter: Filter;
  readonly limit: number;
  readonly cursor: Cursor | null;
  readonly request: ReadRequest;
};

/** A list as it is. Ends the request when it is empty because the customer was never heard of. */
export async function ofKnown<List extends Page<unknown>>(
  reads: FreshReads,
  request: ReadRequest,
  { customerId, unit }: { readonly customerId: string; readonly unit: string },
  reading: Promise<Fresh<List>>,
): Promise<Fresh<List>> {
  const list = await reading;
  if (list.result.data.length > 0) return list;
  // Read models move on by themselves: those that know the customer must be as fresh as the one that was read.
  await reads.reached(request, balances.name);
  await reads.reached(request, customersProjection.name);
  if (!(await reads.as(request, (reader) => isKnownCustomer(reader, customerId, unit))))
    throw new Problem('customer_not_found');
  return list;
}

export class ListGrants extends Query<Fresh<Page<GrantEntry>>> {
  constructor(readonly listing: Listing<AccountFilter<GrantStatus>>) {
    super();
  }
}

@QueryHandler(ListGrants)
export class ListGrantsHandler implements IQueryHandler<ListGrants> {
  constructor(
    private readonly reads: FreshReads,
    private readonly log: AccountLog,
  ) {}

  execute({ listing: { filter, limit, cursor, request } }: ListGrants): Promise<Fresh<Page<GrantEntry>>> {
    return ofKnown(
      this.reads,
      request,
      filter,
      this.reads.read(request, balances.name, (reader, now) =>
        grantsOf(reader, this.log, { filter, limit, cursor, now: msOf(now) }),
      ),
    );
  }
}

export class ListHolds extends Query<Fresh<Page<HoldEntry>>> {
  constructor(readonly listing: Listing<AccountFilter<HoldStatus>>) {
    super();
  }
}

@QueryHandler(ListHolds)
export class ListHoldsHandler implements IQueryHandler<ListHolds> {
  constructor(
    private readonly reads: FreshReads,
    private readonly log: AccountLog,
  ) {}

  execute({ listing: { filter, limit, cursor, request } }: ListHolds): Promise<Fresh<Page<HoldEntry>>> {
    return ofKnown(
      this.reads,
      request,
      filter,
      this.reads.read(request, balances.name, (reader, now) =>
        holdsOf(reader, this.log, { filter, limit, cursor, now: msOf(now) }),
      ),
    );
  }
}

export class ListClaims extends Query<Fresh<Page<Claim>>> {
  constructor(readonly listing: Listing<ClaimFilter>) {
    super();
  }
}

@QueryHandler(ListClaims)
export class ListClaimsHandler implements IQueryHandler<ListClaims> {
  constructor(private readonly reads: FreshReads) {}

  execute({ listing: { filter, limit, cursor, request } }: ListClaims): Promise<Fresh<Page<Claim>>> {
    return ofKnown(
      this.reads,
      request,
      filter,
      this.reads.read(request, claimsProjection.name, (reader) => claimsOf(reader, filter, limit, cursor)),
    );
  }
}

export type HistoryPage = Page<HistoryEntry> & { readonly total?: number };

export class ListHistory extends Query<Fresh<HistoryPage>> {
  constructor(
    readonly filter: HistoryFilter,
    readonly limit: number,
    readonly start: HistoryStart,
    readonly request: ReadRequest,
  ) {
    super();
  }
}

@QueryHandler(ListHistory)
export class ListHistoryHandler implements IQueryHandler<ListHistory> {
  constructor(private readonly reads: FreshReads) {}

  execute({ filter, limit, start, request }: ListHistory): Promise<Fresh<HistoryPage>> {
    return ofKnown(
      this.reads,
      request,
      filter,
      this.reads.read(request, historyProjection.name, (reader, _, position) =>
        // Counted from a fixed place, entries do not move to other pages while new ones come.
        historyOf(reader, 'offset' in start ? { upTo: position, ...filter } : filter, limit, start),
      ),
    );
  }
}
