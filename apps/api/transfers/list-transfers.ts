import { type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs';
import type { Cursor, Page } from '#database/page.js';
import { transfersOf, type TransferEntry, type TransferFilter } from '#projections/transfers/queries.js';
import { transfersProjection } from '#projections/transfers/transfers.js';
import { ofKnown } from '../accounts/reads/queries.js';
import { FreshReads, type Fresh, type ReadRequest } from '../reads/freshness.js';

/** What a customer gave and was given, newest first. */
export class ListTransfers extends Query<Fresh<Page<TransferEntry>>> {
  constructor(
    readonly filter: TransferFilter,
    readonly limit: number,
    readonly cursor: Cursor | null,
    readonly request: ReadRequest,
  ) {
    super();
  }
}

@QueryHandler(ListTransfers)
export class ListTransfersHandler implements IQueryHandler<ListTransfers> {
  constructor(private readonly reads: FreshReads) {}

  execute({ filter, limit, cursor, request }: ListTransfers): Promise<Fresh<Page<TransferEntry>>> {
    const page = this.reads.read(request, transfersProjection.name, (reader) =>
      transfersOf(reader, filter, limit, cursor),
    );
    return ofKnown(this.reads, request, filter, page);
  }
}
