import { type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs';
import { catalogueProjection, creditEventsOf, creditProductsOf, plansOf } from '#projections/catalogue.js';
import type { Reader } from '#read-store/read-database.js';
import { FreshReads, type AsOf, type ReadRequest } from '../reads/freshness.js';

const lists = {
  plans: (reader: Reader) => plansOf(reader),
  creditProducts: (reader: Reader) => creditProductsOf(reader),
  creditEvents: (reader: Reader) => creditEventsOf(reader),
} as const;
export type CatalogueKind = keyof typeof lists;

/** All that is on sale of one kind. */
export class ListCatalogue extends Query<{ readonly result: readonly object[]; readonly asOf: AsOf }> {
  constructor(
    readonly kind: CatalogueKind,
    readonly request: ReadRequest,
  ) {
    super();
  }
}

@QueryHandler(ListCatalogue)
export class ListCatalogueHandler implements IQueryHandler<ListCatalogue> {
  constructor(private readonly reads: FreshReads) {}

  execute({ kind, request }: ListCatalogue): Promise<{ readonly result: readonly object[]; readonly asOf: AsOf }> {
    return this.reads.read<readonly object[]>(request, catalogueProjection.name, lists[kind]);
  }
}
