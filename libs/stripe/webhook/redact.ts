import type { Json } from '#kernel/json.js';
import { isPersonalName } from '#kernel/personal-names.js';

/** Deeper than any object of Stripe; what lies beyond is left out, so that hostile nesting costs nothing. */
const MAX_DEPTH = 24;

/** What was found for names before: webhooks repeat a few hundred of them. */
const known = new Map<string, boolean>();
const MAX_KNOWN = 2000;
const MAX_KNOWN_LENGTH = 64;

function isPersonal(key: string): boolean {
  const found = known.get(key);
  if (found !== undefined) return found;
  const answer = isPersonalName(key);
  // Metadata may bring any names: those beyond the bound are worked out each time.
  if (known.size < MAX_KNOWN && key.length <= MAX_KNOWN_LENGTH) known.set(key, answer);
  return answer;
}

/**
 * A webhook's payload without personal data, at any depth: names, e-mail, postal and network addresses, phones, card data
 * beyond brand and last four digits, free text and secrets. Keeps ids, amounts, times, statuses, prices and metadata (but
 * metadata's own `email`, `name` and so on are left out too) and `hosted_invoice_url` and `invoice_pdf`, which customers are
 * given to see their invoices: whoever has such an address sees the invoice. What is left out here is never stored.
 */
export const redact = (value: Json): Json => without(value, 0);

function without(value: Json, depth: number): Json {
  if (value === null || typeof value !== 'object') return value;
  if (depth >= MAX_DEPTH) return null;
  if (Array.isArray(value)) return (value as readonly Json[]).map((item) => without(item, depth + 1));
  const kept = Object.entries(value as { readonly [key: string]: Json })
    .filter(([key]) => !isPersonal(key))
    .map(([key, inner]) => [key, without(inner, depth + 1)] as const);
  return Object.fromEntries(kept);
}
