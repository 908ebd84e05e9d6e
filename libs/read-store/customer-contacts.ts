import type { Instant } from '#kernel/instant.js';
import type { Json } from '#kernel/json.js';
import type { Reader } from './read-database.js';
import { SCHEMA } from './schema.js';
import { document, storable } from './tables.js';

/** Who a customer is: the only personal data there is. Outside the log and outside all projections. */
export type Contact = { readonly name: string | null; readonly email: string | null; readonly metadata: Json };

type Row = { name: string | null; email: string | null; metadata: string };
const contact = ({ name, email, metadata }: Row): Contact => ({ name, email, metadata: JSON.parse(metadata) as Json });

/** The contact of a customer; null when none was ever given. */
export async function contactOf(reader: Reader, customerId: string): Promise<Contact | null> {
  const [row] = await reader.query<Row>({
    name: 'contact',
    text: `select name, email, metadata from ${SCHEMA}.customer_contacts where customer_id = $1`,
    values: [customerId],
  });
  return row === undefined ? null : contact(row);
}

/** Sets the fields that are given and leaves the others; answers the contact as it is then. */
export async function putContact(
  reader: Reader,
  customerId: string,
  change: Partial<Contact>,
  at: Instant,
): Promise<Contact> {
  const text = (value: string | null | undefined): string | null => (value == null ? null : storable(value));
  const [row] = await reader.query<Row>({
    text: `insert into ${SCHEMA}.customer_contacts as c (customer_id, name, email, metadata, updated_at) values ($1, $2, $3, $4, $5)
      on conflict (customer_id) do update set
        name = case when $6 then excluded.name else c.name end,
        email = case when $7 then excluded.email else c.email end,
        metadata = case when $8 then excluded.metadata else c.metadata end,
        updated_at = excluded.updated_at
      returning name, email, metadata`,
    values: [
      customerId,
      text(change.name),
      text(change.email),
      document(change.metadata ?? {}),
      at,
      change.name !== undefined,
      change.email !== undefined,
      change.metadata !== undefined,
    ],
  });
  if (row === undefined) throw new Error('an upsert gave no row back');
  return contact(row);
}

/** Forgets everything that is known about the person. */
export async function eraseContact(reader: Reader, customerId: string): Promise<void> {
  await reader.query({
    text: `with answers as (delete from ${SCHEMA}.billing_answers where customer_id = $1)
      delete from ${SCHEMA}.customer_contacts where customer_id = $1`,
    values: [customerId],
  });
}
