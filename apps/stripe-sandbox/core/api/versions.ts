/** An object of the newest version on its way to an older one; `sandbox` is still there to take facts from. */
export type Raw = Readonly<Record<string, unknown>>;
type Step = (object: Raw) => Raw;
type Change = { readonly since: string; readonly shapes: Readonly<Record<string, Step>> };

const record = (value: unknown): Raw => (value !== null && typeof value === 'object' ? (value as Raw) : {});
const listOf = (value: unknown): readonly Raw[] => {
  const data = record(value)['data'];
  return Array.isArray(data) ? data.map(record) : [];
};
/** What the sandbox keeps as a list under this name. */
const listIn = (sandbox: Raw, name: string): readonly Raw[] => {
  const found = sandbox[name];
  return Array.isArray(found) ? found.map(record) : [];
};
const without = (object: Raw, ...keys: readonly string[]): Raw =>
  Object.fromEntries(Object.entries(object).filter(([key]) => !keys.includes(key)));

function legacyTaxes(taxes: unknown): readonly Raw[] {
  return (Array.isArray(taxes) ? taxes.map(record) : []).map((tax) => ({
    amount: tax['amount'],
    inclusive: tax['tax_behavior'] === 'inclusive',
    tax_rate: record(tax['tax_rate_details'])['tax_rate'] ?? null,
    taxability_reason: tax['taxability_reason'],
    taxable_amount: tax['taxable_amount'],
  }));
}

const taxTotal = (taxes: unknown): number =>
  legacyTaxes(taxes).reduce((sum, tax) => sum + (typeof tax['amount'] === 'number' ? tax['amount'] : 0), 0);

/** `price.recurring` as the older `plan`. */
function planOfPrice(price: unknown): Raw | null {
  const from = record(price);
  const recurring = record(from['recurring']);
  if (typeof from['id'] !== 'string' || from['recurring'] == null) return null;
  return {
    id: from['id'],
    object: 'plan',
    active: from['active'],
    amount: from['unit_amount'],
    amount_decimal: from['unit_amount_decimal'],
    billing_scheme: from['billing_scheme'],
    created: from['created'],
    currency: from['currency'],
    interval: recurring['interval'],
    interval_count: recurring['interval_count'],
    livemode: false,
    metadata: from['metadata'],
    meter: recurring['meter'] ?? null,
    nickname: from['nickname'],
    product: from['product'],
    tiers_mode: null,
    transform_usage: null,
    trial_period_days: null,
    usage_type: recurring['usage_type'],
  };
}

function subscriptionBeforeBasil(object: Raw): Raw {
  const items = listOf(object['items']);
  const starts = items.map((item) => Number(item['current_period_start']));
  const ends = items.map((item) => Number(item['current_period_end']));
  const only = items.length === 1 ? items[0] : undefined;
  return {
    ...without(object, 'billing_mode', 'billing_schedules', 'status_details', 'customer_account', 'managed_payments'),
    current_period_start: items.length === 0 ? object['start_date'] : Math.max(...starts),
    current_period_end: items.length === 0 ? object['start_date'] : Math.min(...ends),
    discount: object['discount'] ?? listIn(record(object['sandbox']), 'discounts')[0] ?? null,
    plan: object['plan'] ?? only?.['plan'] ?? null,
    quantity: only?.['quantity'] ?? null,
    items: {
      ...record(object['items']),
      data: items.map((item) => without(item, 'current_period_start', 'current_period_end', 'current_trial')),
    },
  };
}

function invoiceBeforeBasil(object: Raw): Raw {
  const sandbox = record(object['sandbox']);
  const details = record(record(object['parent'])['subscription_details']);
  const prorationDate = details['subscription_proration_date'];
  return {
    ...without(
      object,
      'parent',
      'total_taxes',
      'amount_overpaid',
      'confirmation_secret',
      'customer_account',
      'payments',
      'status_details',
    ),
    application_fee_amount: null,
    charge: object['charge'] ?? sandbox['charge'] ?? null,
    discount: object['discount'] ?? listIn(sandbox, 'discounts')[0] ?? null,
    paid: object['status'] === 'paid',
    paid_out_of_band: sandbox['outOfBand'] === true,
    payment_intent: object['payment_intent'] ?? sandbox['paymentIntent'] ?? null,
    quote: null,
    subscription: object['subscription'] ?? details['subscription'] ?? null,
    subscription_details: { metadata: details['metadata'] ?? null },
    ...(prorationDate === undefined ? {} : { subscription_proration_date: prorationDate }),
    tax: taxTotal(object['total_taxes']) === 0 ? null : taxTotal(object['total_taxes']),
    total_tax_amounts: legacyTaxes(object['total_taxes']),
    transfer_data: null,
  };
}

function lineBeforeBasil(object: Raw): Raw {
  const price = record(object['sandbox'])['price'] ?? null;
  const parent = record(object['parent']);
  const ofSubscription = record(parent['subscription_item_details']);
  const ofItem = record(parent['invoice_item_details']);
  const isItem = parent['type'] === 'invoice_item_details';
  const details = isItem ? ofItem : ofSubscription;
  return {
    ...without(object, 'parent', 'pricing', 'taxes', 'pretax_credit_amounts', 'subtotal', 'quantity_decimal'),
    amount_excluding_tax: object['amount'],
    ...(isItem ? { invoice_item: ofItem['invoice_item'] } : {}),
    plan: planOfPrice(price),
    price: object['price'] ?? price,
    proration: details['proration'] ?? false,
    proration_details: details['proration_details'] ?? { credited_items: null },
    ...(isItem ? {} : { subscription_item: ofSubscription['subscription_item'] }),
    tax_amounts: legacyTaxes(object['taxes']),
    tax_rates: [],
    type: isItem ? 'invoiceitem' : 'subscription',
    unit_amount_excluding_tax: record(object['pricing'])['unit_amount_decimal'] ?? null,
  };
}

function invoiceItemBeforeBasil(object: Raw): Raw {
  const price = record(object['sandbox'])['price'] ?? null;
  const details = record(record(object['parent'])['subscription_details']);
  return {
    ...without(object, 'parent', 'pricing', 'customer_account', 'quantity_decimal', 'net_amount'),
    plan: planOfPrice(price),
    price: object['price'] ?? price,
    subscription: object['subscription'] ?? details['subscription'] ?? null,
    ...(details['subscription_item'] === undefined ? {} : { subscription_item: details['subscription_item'] }),
    unit_amount: record(price)['unit_amount'] ?? object['amount'],
    unit_amount_decimal: record(object['pricing'])['unit_amount_decimal'] ?? null,
  };
}

const withInvoice: Step = (object) => ({
  ...without(object, 'customer_account'),
  invoice: object['invoice'] ?? record(object['sandbox'])['invoice'] ?? null,
});

function creditNoteBeforeBasil(object: Raw): Raw {
  const refunds = Array.isArray(object['refunds']) ? object['refunds'].map(record) : [];
  return {
    ...without(
      object,
      'refunds',
      'post_payment_amount',
      'pre_payment_amount',
      'total_taxes',
      'pretax_credit_amounts',
      'customer_account',
    ),
    refund: object['refund'] ?? refunds[0]?.['refund'] ?? null,
    tax_amounts: legacyTaxes(object['total_taxes']),
  };
}

const couponOf = (object: Raw): unknown => object['coupon'] ?? record(object['sandbox'])['coupon'];

const creditNoteLineBeforeBasil: Step = (object) => ({
  ...without(object, 'taxes', 'pretax_credit_amounts', 'metadata'),
  amount_excluding_tax:
    Number(object['amount']) - Number(object['discount_amount'] ?? 0) - includedTax(object['taxes']),
  tax_amounts: legacyTaxes(object['taxes']),
  unit_amount_excluding_tax: object['unit_amount_decimal'] ?? null,
});

const includedTax = (taxes: unknown): number =>
  legacyTaxes(taxes).reduce((sum, tax) => sum + (tax['inclusive'] === true ? Number(tax['amount']) : 0), 0);

/** What was asked for while paying moved into `collected_information`; the rest came later than these versions. */
const sessionBeforeBasil: Step = (object) => ({
  ...without(
    object,
    'collected_information',
    'customer_account',
    'integration_identifier',
    'origin_context',
    'permissions',
    'presentment_details',
    'wallet_options',
  ),
  shipping_details: record(object['collected_information'])['shipping_details'] ?? null,
});

/** What each breaking release changed, newest first. A reader of an older version gets every newer change undone. */
const changes: readonly Change[] = [
  {
    since: '2026-09-30',
    shapes: {
      'checkout.session': (object) => without(object, 'allowed_payment_method_types', 'managed_payments'),
      payment_intent: (object) => without(object, 'allowed_payment_method_types', 'managed_payments'),
      subscription: (object) => without(object, 'status_details', 'billing_schedules'),
      subscription_schedule: (object) => without(object, 'pause_schedules'),
    },
  },
  {
    since: '2026-03-25',
    shapes: {
      'checkout.session': (object) => ({
        ...object,
        ui_mode: object['ui_mode'] === 'hosted_page' ? 'hosted' : object['ui_mode'],
      }),
    },
  },
  {
    since: '2025-09-30',
    shapes: {
      invoice: (object) => without(object, 'total_pretax_credit_amounts'),
      discount: (object) => ({ ...without(object, 'source'), coupon: couponOf(object) }),
      promotion_code: (object) => ({ ...without(object, 'promotion'), coupon: couponOf(object) }),
    },
  },
  {
    since: '2025-03-31',
    shapes: {
      'checkout.session': sessionBeforeBasil,
      subscription: subscriptionBeforeBasil,
      invoice: invoiceBeforeBasil,
      line_item: lineBeforeBasil,
      invoiceitem: invoiceItemBeforeBasil,
      charge: withInvoice,
      payment_intent: withInvoice,
      credit_note: creditNoteBeforeBasil,
      credit_note_line_item: creditNoteLineBeforeBasil,
    },
  },
];

/** The oldest version whose shapes the sandbox knows. */
export const OLDEST_VERSION = '2022-11-15';

/** The object as `version` (`2024-06-20`, `2025-03-31.basil`) shapes it; its members are still of the newest version. */
export function downgrade(object: Raw, version: string): Raw {
  const date = version.slice(0, 10);
  return changes
    .filter((change) => date < change.since)
    .reduce((shaped, change) => change.shapes[String(object['object'])]?.(shaped) ?? shaped, object);
}
