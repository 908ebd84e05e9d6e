import type { Json } from '#kernel/json.js';

/** Deeper than any object of Stripe; what lies beyond is left out, so that hostile nesting costs nothing. */
const MAX_DEPTH = 24;

/** Fields that hold what belongs to a person, a card or a login, wherever they stand; with all that is inside them. */
const personal = new Set([
  'account_number',
  'bank_account',
  'billing',
  'billing_details',
  'client_secret',
  'collected_information',
  'custom_fields',
  'customer_details',
  'customer_shipping',
  'customer_tax_ids',
  'description',
  'evidence',
  'exp_month',
  'exp_year',
  'fingerprint',
  'iban',
  'iin',
  'individual',
  'owner',
  'payer',
  'payer_details',
  'receipt_number',
  'receipt_url',
  'routing_number',
  'shipping',
  'shipping_details',
  'sources',
  'tax_id',
  'tax_ids',
  'url',
  'user_agent',
  'verified_outputs',
  'wallet',
]);

/** `customer_email`, `account_holder_name`, `customer_purchase_ip`, `email_address` and whatever Stripe adds like them. */
const personalEnding = /(^|_)(emails?|phones?|phone_number|name|address|addresses|ip|dob|birth_?date|cvc|pan)$/i;

const isPersonal = (key: string): boolean => personal.has(key) || personalEnding.test(key);

/**
 * A webhook's payload without personal data, at any depth: names, e-mail, postal and network addresses, phones, card data
 * beyond brand and last four digits, free text and secrets. Keeps ids, amounts, times, statuses, prices and metadata (but
 * metadata's own `email`, `name` and so on are left out too). What is left out here is never stored.
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
