import { type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs';
import { parkedEventsProjection } from '#projections/parked-events/parked-events.js';
import { parkedEvents, type ParkedEvent, type ParkedFilter } from '#projections/parked-events/queries.js';
import { pageOf, type Cursor, type CursorShape, type Page } from '#database/page.js';
import type { ProjectionStatus } from '#projecting/status.js';
import { Database } from '#database/database.js';
import {
  differenceCounts,
  differencesOf,
  newestRun,
  type DifferenceCounts,
  type FoundDifference,
  type ReconciliationRun,
} from '#records/reconciliation.js';
import { FreshReads, type Fresh, type ReadRequest } from '../reads/freshness.js';
import { notOfThisList } from '../reads/pages.js';
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

/** The name of a projection and its generation. */
export const projectionsCursor: CursorShape = ['text', 'bigint'];

/** How far every projection is, by name. `cursor`: of `projectionsCursor`. */
export class ListProjections extends Query<Page<ProjectionStatus>> {
  constructor(
    readonly limit: number,
    readonly cursor: Cursor | null,
  ) {
    super();
  }
}

@QueryHandler(ListProjections)
export class ListProjectionsHandler implements IQueryHandler<ListProjections> {
  constructor(private readonly projections: ProjectionControl) {}

  async execute({ limit, cursor }: ListProjections): Promise<Page<ProjectionStatus>> {
    const [name = '', generation = '0'] = cursor ?? [];
    const all = (await this.projections.status()).toSorted(byNameAndGeneration);
    const behind = all.filter((each) => byNameAndGeneration(each, { name, generation: Number(generation) }) > 0);
    return pageOf(
      behind.slice(0, limit + 1),
      limit,
      (each) => each,
      (each) => [each.name, String(each.generation)],
    );
  }
}

type Place = Pick<ProjectionStatus, 'name' | 'generation'>;
const byNameAndGeneration = (a: Place, b: Place): number =>
  a.name === b.name ? a.generation - b.generation : a.name < b.name ? -1 : 1;

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
  constructor(private readonly database: Database) {}

  async execute({ limit, cursor }: GetReconciliation) {
    const run = await newestRun(this.database);
    if (run === null) return { run: null, page: { data: [], next: null } };
    if (cursor !== null && cursor[0] !== run.id) throw notOfThisList();
    const [summary, page] = await Promise.all([
      differenceCounts(this.database, run.id),
      differencesOf(this.database, run.id, limit, cursor),
    ]);
    return { run: { ...run, ...summary }, page };
  }
}
