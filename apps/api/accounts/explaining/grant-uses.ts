import { type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs';
import { accountStream } from '#kernel/stream-name.js';
import { grantUsesProjection } from '#projections/grant-uses/grant-uses.js';
import { usesOfGrant, type GrantUseEntry } from '#projections/grant-uses/queries.js';
import type { Cursor, Page } from '#database/page.js';
import { FreshReads, type Fresh, type ReadRequest } from '../../reads/freshness.js';

/** How the credits of a grant were used, oldest first. */
export class ListGrantUses extends Query<Fresh<Page<GrantUseEntry>>> {
  constructor(
    readonly grant: { readonly customerId: string; readonly unit: string; readonly grantId: string },
    readonly limit: number,
    readonly cursor: Cursor | null,
    readonly request: ReadRequest,
  ) {
    super();
  }
}

@QueryHandler(ListGrantUses)
export class ListGrantUsesHandler implements IQueryHandler<ListGrantUses> {
  constructor(private readonly reads: FreshReads) {}

  execute({ grant: { customerId, unit, grantId }, limit, cursor, request }: ListGrantUses) {
    const stream = accountStream(customerId, unit);
    return this.reads.read(request, grantUsesProjection.name, (reader) =>
      usesOfGrant(reader, { stream, grantId }, limit, cursor),
    );
  }
}
