import type { Reader } from '../database/database.js';
import { SCHEMA } from './schema.js';

/** The present owners of those of the Stripe customers that have one. */
export async function customersOfStripe(
  reader: Reader,
  stripeCustomerIds: readonly string[],
): Promise<ReadonlyMap<string, string>> {
  if (stripeCustomerIds.length === 0) return new Map();
  const rows = await reader.query<{ stripe_customer_id: string; customer_id: string }>({
    name: 'inbox-customers',
    text: `select stripe_customer_id, customer_id from ${SCHEMA}.inbox_links where stripe_customer_id = any($1)`,
    values: [stripeCustomerIds],
  });
  return new Map(rows.map((row) => [row.stripe_customer_id, row.customer_id]));
}
