import type { Instant } from '#kernel/instant.js';
import type { Json } from '#kernel/json.js';
import type { AccountEvent } from '#ledger/account-events.js';
import type { CustomerEvent } from '#ledger/customer.js';
import type { LedgerEvent } from '#ledger/events.js';
import { pageOf, type Cursor, type CursorShape, type Page } from '#read-store/cursor.js';
import type { ExpectedRow, OracleFold, ProjectionWriter } from '#read-store/projection.js';
import { queryBuilder, type Reader } from '#read-store/read-database.js';
import { TableWriter, type RowOf, type StoredRow, type Table } from '#read-store/tables.js';
import {
  dispatch,
  lotsIgnored,
  ownerOf,
  settingsIgnored,
  type Handlers,
  type LedgerProjection,
  type Projected,
} from './ledger-projection.js';

/** One row per customer, from whatever was heard of first: its registration or its first account. */
const customers = {
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

const handlers: Handlers<CustomersFold, CustomerEvent | AccountEvent> = {
  CustomerRegistered: (fold, event, projected) => void fold.seen(event.customerId, event.at, projected),
  AccountOpened: (fold, event, projected) =>
    void fold.seen(ownerOf(projected.recorded).customer_id, event.at, projected),
  StripeCustomerLinked: (fold, event, projected) => {
    const row = fold.seen(event.customerId, event.at, projected);
    row.stripe_customer_id = event.stripeCustomerId;
    fold.changed.set(row.customer_id, row);
  },
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

class CustomersOracle implements OracleFold<LedgerEvent> {
  readonly #rows = new Map<string, Row>();

  add(projected: Projected): readonly ExpectedRow[] {
    const { type, position } = projected.recorded;
    if (!['CustomerRegistered', 'AccountOpened', 'StripeCustomerLinked', 'CustomerErased'].includes(type)) return [];
    const event = projected.event;
    const customer_id = customerOf(projected);
    const first = { customer_id, registered_at: event.at, stripe_customer_id: null, erased_at: null, position };
    const row = { ...(this.#rows.get(customer_id) ?? first) };
    if (event.type === 'StripeCustomerLinked') row.stripe_customer_id = event.stripeCustomerId;
    if (event.type === 'CustomerErased') row.erased_at = event.at;
    this.#rows.set(customer_id, row);
    return [];
  }

  *rest(): Iterable<ExpectedRow> {
    for (const row of this.#rows.values()) yield { table: customers.name, row };
  }
}

/** Who the customers are, as far as the log says; names and addresses are kept apart from it. */
export const customersProjection: LedgerProjection = {
  name: 'customers',
  version: 1,
  categories: ['customer', 'account'],
  tables: [customers],
  handlers,
  open: (table) => new CustomersWriter(table),
  oracle: { keyOf: ({ stream }) => customerIdOf(stream), fold: () => new CustomersOracle() },
};

export type Customer = {
  readonly id: string;
  readonly name: string | null;
  readonly email: string | null;
  readonly metadata: Json;
  readonly stripeCustomerId: string | null;
  readonly createdAt: Instant;
  readonly erasedAt: Instant | null;
};
export const customersCursor: CursorShape = ['bigint'];

type Contact = { customer_id: string; name: string | null; email: string | null; metadata: string };
const build = queryBuilder<{ customers: StoredRow<typeof customers>; customer_contacts: Contact }>();
const withContacts = build
  .selectFrom('customers as c')
  .leftJoin('customer_contacts as k', 'k.customer_id', 'c.customer_id')
  .select([
    'c.customer_id',
    'c.registered_at',
    'c.stripe_customer_id',
    'c.erased_at',
    'c.position',
    'k.name',
    'k.email',
    'k.metadata',
  ]);

/** A customer that was registered or has an account; null when there is none. */
export async function customerById(reader: Reader, customerId: string): Promise<Customer | null> {
  const [row] = await reader.rows(withContacts.where('c.customer_id', '=', customerId));
  return row === undefined ? null : toCustomer(row);
}

/** Customers whose id, name or e-mail contains `text` (null: all), newest first. `cursor`: decoded, of one field. */
export async function searchCustomers(
  reader: Reader,
  text: string | null,
  limit: number,
  cursor: Cursor | null,
): Promise<Page<Customer>> {
  let query = withContacts.orderBy('c.position', 'desc').limit(limit + 1);
  if (text !== null && text !== '') {
    const pattern = `%${text.replaceAll(/[\\%_]/g, '\\$&')}%`;
    query = query.where((is) =>
      is.or([is('c.customer_id', 'ilike', pattern), is('k.name', 'ilike', pattern), is('k.email', 'ilike', pattern)]),
    );
  }
  if (cursor !== null) query = query.where('c.position', '<', String(cursor[0]));
  return pageOf(await reader.rows(query), limit, toCustomer, ({ position }) => [position]);
}

type WithContact = StoredRow<typeof customers> & { name: string | null; email: string | null; metadata: string | null };
const toCustomer = (row: WithContact): Customer => ({
  id: row.customer_id,
  name: row.name,
  email: row.email,
  metadata: row.metadata === null ? {} : (JSON.parse(row.metadata) as Json),
  stripeCustomerId: row.stripe_customer_id,
  createdAt: row.registered_at,
  erasedAt: row.erased_at,
});
