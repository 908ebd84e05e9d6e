import { readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import { previousAttributes } from '../apps/stripe-sandbox/core/diff.js';
import { present } from '../apps/stripe-sandbox/core/api/present.js';

type Json = Readonly<Record<string, unknown>>;
type Recorded = { readonly api_version: string; readonly data: { readonly object: Json } };

const recorded = (name: string): Recorded =>
  JSON.parse(readFileSync(new URL(`./fixtures/stripe/${name}.json`, import.meta.url), 'utf8')) as Recorded;

const isObject = (value: unknown): value is Json => value !== null && typeof value === 'object';

/** `path: why`, for each member in which two objects differ. */
function differences(rendered: unknown, old: unknown, path = ''): readonly string[] {
  if (JSON.stringify(rendered) === JSON.stringify(old)) return [];
  if (!isObject(rendered) || !isObject(old)) return [`${path}: other`];
  return [...new Set([...Object.keys(rendered), ...Object.keys(old)])].flatMap((key) => {
    const at = path === '' ? key : `${path}.${key}`;
    if (!(key in rendered)) return [`${at}: missing`];
    return key in old ? differences(rendered[key], old[key], at) : [`${at}: not recorded`];
  });
}

/** The sandbox keeps beside an object what only older versions show in it; the old recording says what that is. */
function withKept(object: Json, old: Json): Json {
  const lines = isObject(object['lines']) ? object['lines'] : null;
  const oldLines = isObject(old['lines']) ? (old['lines']['data'] as readonly Json[]) : [];
  return {
    ...object,
    sandbox: {
      charge: old['charge'],
      paymentIntent: old['payment_intent'],
      invoice: old['invoice'],
      outOfBand: old['paid_out_of_band'],
    },
    ...(lines === null
      ? {}
      : {
          lines: {
            ...lines,
            data: (lines['data'] as readonly Json[]).map((line, index) => ({
              ...line,
              sandbox: { price: oldLines[index]?.['price'] },
            })),
          },
        }),
  };
}

const ofInvoice = [
  'application_fee_amount: not recorded',
  'automatically_finalizes_at: not recorded',
  'lines.data.0.discounts.0: not recorded',
  'lines.data.0.invoice: not recorded',
  // The recordings have a shorter price than the sandbox, which makes a plan of it.
  ...[
    'amount_decimal',
    'interval_count',
    'livemode',
    'meter',
    'tiers_mode',
    'transform_usage',
    'trial_period_days',
  ].map((member) => `lines.data.0.plan.${member}: not recorded`),
  'lines.data.0.tax_amounts.0.taxability_reason: not recorded',
  'lines.data.0.tax_amounts.0.taxable_amount: not recorded',
  'total_tax_amounts.0.taxability_reason: not recorded',
  'total_tax_amounts.0.taxable_amount: not recorded',
  'transfer_data: not recorded',
];
const ofPlan = ['discount: not recorded', 'items.data.0.plan: missing', 'plan: other'];

/** Where the recordings are of different things, or leave out what no test reads; in all else they are the same. */
const expectedTypes: Readonly<Record<string, readonly string[]>> = {
  'charge.refunded': ['refunds: missing'],
  'charge.succeeded': ['amount: other', 'amount_captured: other', 'id: other', 'payment_intent: other'],
  'checkout.session.completed': [
    ...['address.line2', 'address.postal_code', 'address.state', 'carrier', 'phone'].map(
      (member) => `shipping_details.${member}: missing`,
    ),
  ],
  'credit_note.created': ['refund: other', 'tax_amounts: not recorded'],
  'customer.subscription.created': ofPlan,
  'customer.subscription.updated': [...ofPlan, 'cancel_at: other', 'cancel_at_period_end: other'],
  'invoice.created': [...ofInvoice, 'paid: other'],
  'invoice.paid': ofInvoice,
};

describe('an event in the newest shape, rendered for an older version', () => {
  test.each(Object.entries(expectedTypes))('%s is what was recorded in that version', (type, expected) => {
    const [newest, old] = [recorded(`${type}.endive`), recorded(`${type}.acacia`)];
    const kept = withKept(newest.data.object, old.data.object);
    const rendered = present(kept, old.api_version);
    expect([...differences(rendered, old.data.object)].sort()).toEqual([...expected].sort());
  });

  test('names what changed as that version has it', () => {
    const { api_version: version, data } = recorded('customer.subscription.updated.acacia');
    const { object } = recorded('customer.subscription.updated.endive').data;
    const items = object['items'] as { data: readonly Json[] };
    const before = {
      ...object,
      items: { ...items, data: items.data.map((item) => ({ ...item, current_period_end: 5 })) },
    };
    const changed = previousAttributes(present(before, version) as Json, present(object, version) as Json);
    expect(changed).toEqual({ current_period_end: 5 });
    expect(data.object).toHaveProperty('current_period_end');
  });
});
