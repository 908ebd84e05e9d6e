import type { LedgerEvent } from '#ledger/events.js';
import type { ProjectionWriter } from '#projecting/projection.js';
import type { Reader } from '#database/database.js';
import { TableWriter, type RowOf, type Table } from '#projecting/tables.js';
import type { LedgerProjection, Projected } from './ledger-projection.js';

/** What a projection keeps that shows each thing as its newest event left it. */
export type LatestParts<T extends Table> = {
  readonly name: string;
  readonly version: number;
  readonly category: string;
  readonly table: T;
  readonly handlers: LedgerProjection['handlers'];
  /** The row that an event leaves, with the column `id` as its key; null when it leaves the row as it was. */
  readonly rowOf: (projected: Projected) => RowOf<T> | null;
  readonly oracle: LedgerProjection['oracle'];
};

/** A projection of events that each carry the whole of what they leave: the newest of a thing is its row. */
export function latestProjection<T extends Table>(parts: LatestParts<T>): LedgerProjection {
  const { name, version, category, table, handlers, rowOf, oracle } = parts;
  const idOf = (row: RowOf<T>): string => String((row as { readonly [column: string]: unknown })['id']);
  const isPart = ({ category: of }: Projected): boolean => of === category;

  class Writer implements ProjectionWriter<LedgerEvent> {
    readonly #rows: TableWriter<T>;

    constructor(full: (name: string) => string) {
      this.#rows = new TableWriter(table, full(table.name));
    }

    async apply(transaction: Reader, batch: readonly Projected[]): Promise<void> {
      const newest = new Map<string, RowOf<T>>();
      for (const projected of batch) {
        const row = isPart(projected) ? rowOf(projected) : null;
        if (row !== null) newest.set(idOf(row), row);
      }
      await this.#rows.put(transaction, [...newest.values()]);
    }
  }

  return {
    name,
    version,
    categories: [category],
    tables: [table],
    handlers,
    open: (full) => new Writer(full),
    oracle,
  };
}
