import { assert } from '#kernel/assert.js';
import type { CatalogEvent } from '#ledger/catalog.js';
import type { LedgerEvent } from '#ledger/events.js';
import type { ProjectionWriter } from '#projecting/projection.js';
import type { Reader } from '#database/database.js';
import { document } from '#database/values.js';
import { TableWriter, type RowOf, type Table } from '#projecting/tables.js';
import { dispatch, type Handlers, type LedgerProjection, type Projected } from '../ledger-projection.js';
import { catalogueOracle } from './oracle.js';

/** Everything that is or was on sale, as it was last published. */
export const catalogue = {
  name: 'catalogue',
  visibleTo: 'everyone',
  key: ['kind', 'id'],
  columns: { kind: 'text', id: 'text', active: 'boolean', item: 'text' },
} as const satisfies Table;
type Row = RowOf<typeof catalogue>;
export type CatalogueKind = 'plan' | 'credit_product' | 'credit_event';

const keyOf = (kind: string, id: string): string => `${kind} ${id}`;

/** The rows that a batch touches, by key. */
class CatalogueFold {
  readonly rows = new Map<string, Row>();

  publish(kind: CatalogueKind, item: { readonly id: string }): void {
    this.rows.set(keyOf(kind, item.id), { kind, id: item.id, active: true, item: document(item) });
  }

  withdraw(kind: CatalogueKind, id: string): void {
    const row = this.rows.get(keyOf(kind, id));
    assert(row !== undefined, `${kind} ${id} is withdrawn but was never published`);
    row.active = false;
  }
}

const handlers: Handlers<CatalogueFold, CatalogEvent> = {
  PlanPublished: (fold, { plan }) => fold.publish('plan', plan),
  PlanRetired: (fold, { planId }) => fold.withdraw('plan', planId),
  CreditProductPublished: (fold, { product }) => fold.publish('credit_product', product),
  CreditProductRetired: (fold, { productId }) => fold.withdraw('credit_product', productId),
  CreditEventPriced: (fold, { creditEvent }) => fold.publish('credit_event', creditEvent),
  IgnoreRulesChanged: 'ignored', // nothing is on sale by them
  CreditEventDisabled: (fold, { creditEventId }) => fold.withdraw('credit_event', creditEventId),
};

const kinds: readonly CatalogueKind[] = ['plan', 'credit_product', 'credit_event'];

class CatalogueWriter implements ProjectionWriter<LedgerEvent> {
  readonly #table: TableWriter<typeof catalogue>;

  constructor(table: (name: string) => string) {
    this.#table = new TableWriter(catalogue, table(catalogue.name));
  }

  /** A catalogue is small and seldom changes: it is simply read first. */
  async apply(transaction: Reader, batch: readonly Projected[]): Promise<void> {
    const fold = new CatalogueFold();
    for (const row of await this.#table.where(transaction, 'kind', kinds)) fold.rows.set(keyOf(row.kind, row.id), row);
    for (const projected of batch) dispatch(handlers, fold, projected);
    await this.#table.put(transaction, [...fold.rows.values()]);
  }
}

/** Plans, credit packs and priced credit events. */
export const catalogueProjection: LedgerProjection = {
  name: 'catalogue',
  version: 1,
  categories: ['catalog'],
  tables: [catalogue],
  handlers,
  open: (table) => new CatalogueWriter(table),
  oracle: catalogueOracle,
};
