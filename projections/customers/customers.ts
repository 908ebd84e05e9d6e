import type { Instant } from '#kernel/instant.js';
import type { AccountEvent } from '#ledger/account/events.js';
import type { CustomerEvent } from '#ledger/customer.js';
import type { LedgerEvent } from '#ledger/events.js';
import type { ProjectionWriter } from '#projecting/projection.js';
import type { Reader } from '#database/database.js';
import { TableWriter, type RowOf, type Table } from '#projecting/tables.js';
import {
  dispatch,
  lotsIgnored,
  ownerOf,
  settingsIgnored,
  type Handlers,
  type LedgerProjection,
  type Projected,
} from '../ledger-projection.js';
import { customersOracle } from './oracle.js';

/** One row per customer, from whatever was heard of first: its registration or its first account. */
export const customers = {
  name: 'customers',
  visibleTo: 'own-rows',
  key: ['customer_id'],
  columns: {
    customer_id: 'text',
    registered_at: 'text',
    stripe_customer_id: 'text?',
    erased_at: 'text?',
    position: 'bigint',
  },
  indexes: ['(position)'],
} as const satisfies Table;
type Row = RowOf<typeof customers>;

class CustomersFold {
  /** Null where the table has none yet. */
  readonly rows = new Map<string, Row | null>();
  readonly changed = new Map<string, Row>();

  /** The customer's row, new if this is the first that is heard of it. */
  seen(customer_id: string, at: Instant, { recorded }: Projected): Row {
    let row = this.rows.get(customer_id) ?? null;
    if (row === null) {
      row = { customer_id, registered_at: at, stripe_customer_id: null, erased_at: null, position: recorded.position };
      this.rows.set(customer_id, row);
      this.changed.set(customer_id, row);
    }
    return row;
  }
}

type Linked = Extract<CustomerEvent, { type: 'StripeCustomerLinked' | 'StripeCustomerUnlinked' }>;

function linked(fold: CustomersFold, event: Linked, projected: Projected): void {
  const row = fold.seen(event.customerId, event.at, projected);
  row.stripe_customer_id = event.primary;
  fold.changed.set(row.customer_id, row);
}

const handlers: Handlers<CustomersFold, CustomerEvent | AccountEvent> = {
  CustomerRegistered: (fold, event, projected) => void fold.seen(event.customerId, event.at, projected),
  AccountOpened: (fold, event, projected) =>
    void fold.seen(ownerOf(projected.recorded).customer_id, event.at, projected),
  StripeCustomerLinked: linked,
  StripeCustomerUnlinked: linked,
  CustomerErased: (fold, event, projected) => {
    const row = fold.seen(event.customerId, event.at, projected);
    row.erased_at = event.at;
    fold.changed.set(row.customer_id, row);
  },
  CustomerContactChanged: 'ignored',
  CreditsGranted: 'ignored',
  CreditsConsumed: 'ignored',
  ConsumptionReversed: 'ignored',
  ...lotsIgnored,
  ...settingsIgnored,
};

class CustomersWriter implements ProjectionWriter<LedgerEvent> {
  readonly #table: TableWriter<typeof customers>;

  constructor(table: (name: string) => string) {
    this.#table = new TableWriter(customers, table(customers.name));
  }

  async apply(transaction: Reader, batch: readonly Projected[]): Promise<void> {
    const fold = new CustomersFold();
    const ids = new Set(batch.map(customerOf));
    for (const row of await this.#table.withKeys(
      transaction,
      [...ids].map((customer_id) => ({ customer_id })),
    ))
      fold.rows.set(row.customer_id, row);
    for (const projected of batch) dispatch(handlers, fold, projected);
    await this.#table.put(transaction, [...fold.changed.values()]);
  }
}

const customerIdOf = (stream: string): string =>
  stream.startsWith('customer-') ? stream.slice('customer-'.length) : ownerOf({ stream }).customer_id;
const customerOf = ({ recorded }: Projected): string => customerIdOf(recorded.stream);

/** Who the customers are, as far as the log says; names and addresses are kept apart from it. */
export const customersProjection: LedgerProjection = {
  name: 'customers',
  version: 1,
  categories: ['customer', 'account'],
  tables: [customers],
  handlers,
  open: (table) => new CustomersWriter(table),
  oracle: customersOracle,
};
