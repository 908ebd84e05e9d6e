import { type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs';
import { parkedEventsProjection } from '#projections/parked-events.js';
import { parkedEvents, type ParkedEvent, type ParkedFilter } from '#projections/parked-events-queries.js';
import type { Cursor, Page } from '#read-store/cursor.js';
import type { ProjectionStatus } from '#read-store/projection-status.js';
import { ReadDatabase } from '#read-store/read-database.js';
import {
  differenceCounts,
  differencesOf,
  newestRun,
  type DifferenceCounts,
  type FoundDifference,
  type ReconciliationRun,
} from '#read-store/reconciliation.js';
import { FreshReads, type Fresh, type ReadRequest } from '../reads/freshness.js';
import { ProjectionControl } from './projection-control.js';

/** Stripe events that wait for a person. */
export class ListParkedEvents extends Query<Fresh<Page<ParkedEvent>>> {
  constructor(
    readonly wanted: ParkedFilter,
    readonly limit: number,
    readonly cursor: Cursor | null,
    readonly request: ReadRequest,
  ) {
    super();
  }
}

@QueryHandler(ListParkedEvents)
export class ListParkedEventsHandler implements IQueryHandler<ListParkedEvents> {
  constructor(private readonly reads: FreshReads) {}

  execute({ wanted, limit, cursor, request }: ListParkedEvents): Promise<Fresh<Page<ParkedEvent>>> {
    return this.reads.read(request, parkedEventsProjection.name, (reader) =>
      parkedEvents(reader, wanted, limit, cursor),
    );
  }
}

/** How far every projection is. */
export class ListProjections extends Query<readonly ProjectionStatus[]> {}

@QueryHandler(ListProjections)
export class ListProjectionsHandler implements IQueryHandler<ListProjections> {
  constructor(private readonly projections: ProjectionControl) {}

  execute(): Promise<readonly ProjectionStatus[]> {
    return this.projections.status();
  }
}

/** The newest comparison of Stripe with the ledger, and a page of what it found; null while there was none. */
export class GetReconciliation extends Query<{
  readonly run: (ReconciliationRun & DifferenceCounts) | null;
  readonly page: Page<FoundDifference>;
}> {
  constructor(
    readonly limit: number,
    readonly cursor: Cursor | null,
  ) {
    super();
  }
}

@QueryHandler(GetReconciliation)
export class GetReconciliationHandler implements IQueryHandler<GetReconciliation> {
  constructor(private readonly database: ReadDatabase) {}

  async execute({ limit, cursor }: GetReconciliation) {
    const run = await newestRun(this.database);
    if (run === null) return { run: null, page: { data: [], hasMore: false, nextCursor: null } };
    const [summary, page] = await Promise.all([
      differenceCounts(this.database, run.id),
      differencesOf(this.database, run.id, limit, cursor),
    ]);
    return { run: { ...run, ...summary }, page };
  }
}
