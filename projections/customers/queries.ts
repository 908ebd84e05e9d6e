import type { Instant } from '#kernel/instant.js';
import type { Json } from '#kernel/json.js';
import { pageOf, type Cursor, type CursorShape, type Page } from '#database/page.js';
import type { Reader } from '#database/database.js';
import { queryBuilder } from '#projecting/query-builder.js';
import type { StoredRow } from '#projecting/tables.js';
import type { customers } from './customers.js';

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
const build = queryBuilder<{ customers: StoredRow<typeof customers>; 'scrip_app.customer_contacts': Contact }>();
const withContacts = build
  .selectFrom('customers as c')
  .leftJoin('scrip_app.customer_contacts as k', 'k.customer_id', 'c.customer_id')
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

/** Customers whose id, name or e-mail contains `text` (null: all), newest first. `cursor`: of one field. */
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
