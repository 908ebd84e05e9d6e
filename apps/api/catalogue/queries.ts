import { type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs';
import { catalogueProjection, type CatalogueKind } from '#projections/catalogue/catalogue.js';
import { onSaleOf, type ListedItem } from '#projections/catalogue/queries.js';
import type { Cursor, Page } from '#database/page.js';
import { FreshReads, type Fresh, type ReadRequest } from '../reads/freshness.js';

/** What is on sale of one kind. */
export class ListCatalogue extends Query<Fresh<Page<ListedItem>>> {
  constructor(
    readonly kind: CatalogueKind,
    readonly limit: number,
    readonly cursor: Cursor | null,
    readonly request: ReadRequest,
  ) {
    super();
  }
}

@QueryHandler(ListCatalogue)
export class ListCatalogueHandler implements IQueryHandler<ListCatalogue> {
  constructor(private readonly reads: FreshReads) {}

  execute({ kind, limit, cursor, request }: ListCatalogue): Promise<Fresh<Page<ListedItem>>> {
    return this.reads.read(request, catalogueProjection.name, (reader) => onSaleOf(reader, kind, limit, cursor));
  }
}
