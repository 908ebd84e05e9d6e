import type { Instant } from '#kernel/instant.js';
import type { Json } from '#kernel/json.js';
import type { Reader } from '../database/database.js';
import { SCHEMA } from './schema.js';
import { document, storable } from '../database/values.js';

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

/** What of a contact is written at Stripe: the fields that were ever given, null for one that was emptied since. */
export type StripeContact = {
  readonly fields: { readonly name?: string | null; readonly email?: string | null };
  /** Counts the changes of these fields. */
  readonly version: number;
};

type StripeRow = Omit<Row, 'metadata'> & { name_given: boolean; email_given: boolean; version: string };

/** What of a customer's contact is written at Stripe; null where neither a name nor an address was ever given, and after erasure. */
export async function stripeContactOf(reader: Reader, customerId: string): Promise<StripeContact | null> {
  const [row] = await reader.query<StripeRow>({
    name: 'stripe-contact',
    text: `select name, email, name_given, email_given, version from ${SCHEMA}.customer_contacts where customer_id = $1`,
    values: [customerId],
  });
  if (row === undefined || !(row.name_given || row.email_given)) return null;
  const { name, email } = row;
  const fields = { ...(row.name_given ? { name } : {}), ...(row.email_given ? { email } : {}) };
  return { fields, version: Number(row.version) };
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
    text: `insert into ${SCHEMA}.customer_contacts as c
        (customer_id, name, email, metadata, updated_at, name_given, email_given, version)
        select $1, name, email, $4, $5, name is not null, email is not null, (name is not null or email is not null)::int
        from (values ($2::text, $3::text)) as given (name, email)
      on conflict (customer_id) do update set
        name = case when $6 then excluded.name else c.name end,
        email = case when $7 then excluded.email else c.email end,
        metadata = case when $8 then excluded.metadata else c.metadata end,
        name_given = c.name_given or excluded.name_given,
        email_given = c.email_given or excluded.email_given,
        version = c.version + case
          when $6 and c.name is distinct from excluded.name or $7 and c.email is distinct from excluded.email then 1
          else 0 end,
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
