import type { Reader } from '../database/database.js';
import { SCHEMA } from './schema.js';

type Kept = { readonly body: object; /** False where an earlier one was kept already. */ readonly first: boolean };

/** The first answer to a request that asked something of Stripe under a key; null when none was kept. */
export async function billingAnswer(reader: Reader, intentId: string): Promise<object | null> {
  const [row] = await reader.query<{ body: string }>({
    name: 'billing answer',
    text: `select body from ${SCHEMA}.billing_answers where intent_id = $1`,
    values: [intentId],
  });
  return row === undefined ? null : (JSON.parse(row.body) as object);
}

/**
 * Keeps an answer for whoever repeats the request; gives the one that counts, which is the first. Answers have addresses of Stripe's
 * pages and secrets of payments, so they are kept beside the log, not in it. Where they are lost, a repeated request is answered by
 * what Stripe has then.
 */
export async function keepBillingAnswer(
  reader: Reader,
  intentId: string,
  customerId: string,
  body: object,
): Promise<Kept> {
  const [row] = await reader.query<{ body: string; first: boolean }>({
    name: 'keep billing answer',
    text: `insert into ${SCHEMA}.billing_answers (intent_id, customer_id, body) values ($1, $2, $3)
      on conflict (intent_id) do update set customer_id = excluded.customer_id returning body, xmax = 0 as first`,
    values: [intentId, customerId, JSON.stringify(body)],
  });
  if (row === undefined) throw new Error('an upsert gave no row back');
  return { body: JSON.parse(row.body) as object, first: row.first };
}
