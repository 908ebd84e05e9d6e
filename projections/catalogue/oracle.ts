import { catalogDecider, emptyCatalog, type CatalogEvent } from '#ledger/catalog.js';
import type { LedgerEvent } from '#ledger/events.js';
import type { ExpectedRow, Oracle, OracleFold } from '#projecting/projection.js';
import { document } from '#database/values.js';
import type { Projected } from '../ledger-projection.js';

class CatalogueOracle implements OracleFold<LedgerEvent> {
  #state = emptyCatalog;

  add({ recorded, event }: Projected): readonly ExpectedRow[] {
    this.#state = catalogDecider.evolve(this.#state, event as CatalogEvent, recorded.revision);
    return [];
  }

  *rest(): Iterable<ExpectedRow> {
    const { plans, creditProducts, creditEvents } = this.#state;
    for (const [kind, listing] of [
      ['plan', plans],
      ['credit_product', creditProducts],
      ['credit_event', creditEvents],
    ] as const) {
      for (const [id, { item, active }] of listing)
        yield { table: 'catalogue', row: { kind, id, active, item: document(item) } };
    }
  }
}

/** Folds with the ledger's own `evolve`, which the projection does not use. */
export const catalogueOracle: Oracle<LedgerEvent> = { keyOf: () => '', fold: () => new CatalogueOracle() };
