import { Query, QueryHandler, type IQueryHandler } from '@nestjs/cqrs';
import type { Instant } from '#kernel/instant.js';
import { entitlementsAt, type Entitlements } from '#ledger/usage/entitlements.js';
import { usageFactsOf, usageSumsOf, type UsageInterval, type UsageSum } from '#projections/usage/queries.js';
import { usageProjection } from '#projections/usage/usage.js';
import { ApiContext } from '../api-context.js';
import { KnownCatalog } from '../catalogue/known-catalog.js';
import { FreshReads, type Fresh, type ReadRequest } from '../reads/freshness.js';

/** What a customer may use now. `feature`: of one feature the limits alone; null: all. */
export class GetEntitlements extends Query<Fresh<Entitlements>> {
  constructor(
    readonly customerId: string,
    readonly feature: string | null,
    readonly request: ReadRequest,
  ) {
    super();
  }
}

@QueryHandler(GetEntitlements)
export class GetEntitlementsHandler implements IQueryHandler<GetEntitlements> {
  constructor(
    private readonly reads: FreshReads,
    private readonly catalog: KnownCatalog,
    private readonly context: ApiContext,
  ) {}

  async execute({ customerId, feature, request }: GetEntitlements): Promise<Fresh<Entitlements>> {
    const { gracePeriodDays: graceDays } = this.context.config.stripe;
    const catalog = await this.catalog.with(() => true);
    return this.reads.read(request, usageProjection.name, async (reader, now) => {
      const facts = await usageFactsOf(reader, customerId, feature);
      return entitlementsAt({ ...facts, catalog, graceDays }, now);
    });
  }
}

/** Sums of what a customer used: whole intervals from `from` until `to`. */
export type SumsWanted = {
  readonly customerId: string;
  readonly feature: string | null;
  readonly from: Instant;
  readonly to: Instant;
  readonly by: UsageInterval;
};

export class ListUsage extends Query<Fresh<readonly UsageSum[]>> {
  constructor(
    readonly wanted: SumsWanted,
    readonly request: ReadRequest,
  ) {
    super();
  }
}

@QueryHandler(ListUsage)
export class ListUsageHandler implements IQueryHandler<ListUsage> {
  constructor(private readonly reads: FreshReads) {}

  execute({ wanted, request }: ListUsage): Promise<Fresh<readonly UsageSum[]>> {
    return this.reads.read(request, usageProjection.name, (reader) => usageSumsOf(reader, wanted.customerId, wanted));
  }
}
