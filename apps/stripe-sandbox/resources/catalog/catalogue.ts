import { invalid, missing } from '../../core/api/errors.js';
import type { Plan, Price, Product, TaxRate } from '../../core/model.js';
import { checkedCurrency, checkSteps } from '../../core/money.js';
import type { Params } from '../../core/api/params.js';
import { listing, matching, retrieving, type Route } from '../../core/api/route.js';
import type { Tx } from '../../core/tx.js';
import { amountFrom, tiersFrom } from './tiers.js';

const intervals = ['day', 'week', 'month', 'year'] as const;
/** Three years of each. */
const longest: Readonly<Record<string, number>> = { day: 1095, week: 156, month: 36, year: 3 };

function newProduct(tx: Tx, params: Params, id: string): Product {
  params.accept(
    'images',
    'tax_code',
    'statement_descriptor',
    'unit_label',
    'marketing_features',
    'shippable',
    'url',
    'type',
  );
  return {
    id,
    object: 'product',
    active: params.flag('active') ?? true,
    created: tx.now,
    default_price: null,
    description: params.emptyable('description') ?? null,
    images: [],
    livemode: false,
    marketing_features: [],
    metadata: params.metadata(),
    name: params.required('name'),
    package_dimensions: null,
    shippable: null,
    statement_descriptor: null,
    tax_code: null,
    tax_details: null,
    type: 'service',
    unit_label: null,
    updated: tx.now,
    url: null,
    sandbox: { deleted: false },
  };
}

function createProduct(tx: Tx, params: Params): Product {
  const id = params.text('id') ?? tx.newId('product');
  if (tx.get('product', id) !== null) throw invalid(`Product already exists.`, 'id', 'resource_already_exists');
  const product = tx.create('product', newProduct(tx, params, id), 'product.created');
  const data = params.child('default_price_data');
  if (data === undefined) return product;
  const price = newPrice(tx, data, id);
  return tx.update('product', { ...product, default_price: price.id }, 'product.updated');
}

/** A product that is not deleted. */
function productOf(tx: Tx, id: string, param?: string): Product {
  const product = tx.need('product', id, param);
  if (product.sandbox.deleted) throw missing('product', id, param ?? 'id', param === undefined ? 404 : 400);
  return product;
}

function updateProduct(tx: Tx, id: string, params: Params): Product {
  const product = productOf(tx, id);
  params.accept('images', 'tax_code', 'statement_descriptor', 'unit_label', 'marketing_features', 'shippable', 'url');
  const defaultPrice = params.text('default_price');
  if (defaultPrice !== undefined) tx.need('price', defaultPrice, 'default_price');
  const description = params.emptyable('description');
  const changed: Product = {
    ...product,
    active: params.flag('active') ?? product.active,
    default_price: defaultPrice ?? product.default_price,
    description: description === undefined ? product.description : description,
    metadata: params.metadata(product.metadata),
    name: params.text('name') ?? product.name,
    updated: tx.now,
  };
  return tx.update('product', changed, 'product.updated');
}

function deleteProduct(tx: Tx, id: string): Product {
  const product = productOf(tx, id);
  if (tx.ownedBy('price', id).length > 0)
    throw invalid('This product cannot be deleted because it has one or more user-created prices.', 'id');
  tx.emit('product.deleted', product);
  const deleted = { ...product, sandbox: { deleted: true } };
  tx.put('product', id, deleted);
  return deleted;
}

function recurringOf(tx: Tx, params: Params | undefined): Price['recurring'] {
  if (params === undefined) return null;
  const interval = params.oneOf('interval', intervals) ?? params.required('interval');
  const count = params.integer('interval_count') ?? 1;
  if (count < 1 || count > (longest[interval] ?? 0)) {
    throw invalid(
      'Invalid interval_count: maximum of three years interval allowed (3 years, 36 months, or 156 weeks)',
      params.name('interval_count'),
    );
  }
  const usage = params.oneOf('usage_type', ['licensed', 'metered']) ?? 'licensed';
  const meter = params.text('meter') ?? null;
  if (meter !== null) tx.need('billing.meter', meter, params.name('meter'));
  if (usage === 'metered' && meter === null && !tx.isBefore('2025-03-31'))
    throw invalid('A price with `usage_type=metered` needs a meter.', params.name('meter'), 'parameter_missing');
  return { interval, interval_count: count, meter, trial_period_days: null, usage_type: usage };
}

function amountOf(params: Params, currency: string): { unit_amount: number | null; unit_amount_decimal: string } {
  const given = amountFrom(params, 'unit_amount');
  if (given === null)
    throw invalid('Missing required param: unit_amount.', params.name('unit_amount'), 'parameter_missing');
  if (given.amount !== null && !params.has('unit_amount_decimal'))
    checkSteps(given.amount, currency, params.name('unit_amount'));
  return { unit_amount: given.amount, unit_amount_decimal: given.decimal };
}

/** Moves a lookup key to a new price, or refuses when another price has it. */
function takeLookupKey(tx: Tx, key: string | undefined, transfer: boolean, except: string | null): void {
  if (key === undefined) return;
  for (const other of tx.all('price')) {
    if (other.lookup_key !== key || other.id === except) continue;
    if (!transfer) {
      throw invalid(`A price (\`${other.id}\`) already uses that lookup key.`, 'lookup_key', 'resource_already_exists');
    }
    tx.update('price', { ...other, lookup_key: null }, 'price.updated');
  }
}

/** A price from `price_data` or from the parameters of `prices`. */
export function newPrice(tx: Tx, params: Params, productId: string, inline = false): Price {
  const currency = checkedCurrency(params.required('currency'), params.name('currency'));
  const recurring = recurringOf(tx, params.child('recurring'));
  const lookupKey = params.text('lookup_key');
  if ((lookupKey?.length ?? 0) > 200)
    throw invalid('Invalid string: must be at most 200 characters', params.name('lookup_key'));
  const { mode, tiers } = tiersFrom(params);
  takeLookupKey(tx, lookupKey, params.flag('transfer_lookup_key') ?? false, null);
  const price: Price = {
    id: tx.newId('price'),
    object: 'price',
    active: inline ? false : (params.flag('active') ?? true),
    billing_scheme: mode === null ? 'per_unit' : 'tiered',
    created: tx.now,
    currency,
    custom_unit_amount: null,
    livemode: false,
    lookup_key: lookupKey ?? null,
    metadata: params.metadata(),
    nickname: params.text('nickname') ?? null,
    product: productId,
    recurring,
    tax_behavior: params.oneOf('tax_behavior', ['exclusive', 'inclusive', 'unspecified']) ?? 'unspecified',
    tiers_mode: mode,
    transform_quantity: null,
    type: recurring === null ? 'one_time' : 'recurring',
    ...(mode === null ? amountOf(params, currency) : { unit_amount: null, unit_amount_decimal: null }),
    sandbox: { tiers },
  };
  return tx.create('price', price, inline ? null : 'price.created');
}

/** The product of `product` or `product_data`. */
function productFor(tx: Tx, params: Params): string {
  const id = params.text('product');
  if (id !== undefined) return productOf(tx, id, params.name('product')).id;
  const data = params.child('product_data');
  if (data === undefined)
    throw invalid('You must specify either `product` or `product_data`.', params.name('product'), 'parameter_missing');
  return tx.create('product', newProduct(tx, data, tx.newId('product')), 'product.created').id;
}

/** The price of a line: `price` names one, `price_data` makes one that only this line uses. */
export function priceOf(tx: Tx, params: Params): Price {
  const id = params.text('price');
  const data = params.child('price_data');
  if (id !== undefined) {
    const price = tx.need('price', id, params.name('price'));
    if (!price.active)
      throw invalid(`The price specified is inactive. This field only accepts active prices.`, params.name('price'));
    return price;
  }
  if (data === undefined)
    throw invalid(`Missing required param: ${params.name('price')}.`, params.name('price'), 'parameter_missing');
  return newPrice(tx, data, productFor(tx, data), true);
}

function updatePrice(tx: Tx, id: string, params: Params): Price {
  const price = tx.need('price', id);
  const lookupKey = params.text('lookup_key');
  takeLookupKey(tx, lookupKey, params.flag('transfer_lookup_key') ?? false, id);
  const changed: Price = {
    ...price,
    active: params.flag('active') ?? price.active,
    lookup_key: lookupKey ?? price.lookup_key,
    metadata: params.metadata(price.metadata),
    nickname: params.text('nickname') ?? price.nickname,
    tax_behavior: params.oneOf('tax_behavior', ['exclusive', 'inclusive', 'unspecified']) ?? price.tax_behavior,
  };
  return tx.update('price', changed, 'price.updated');
}

/** A recurring price as the `plan` that subscription items still carry. */
export function planOf(price: Price): Plan {
  return {
    id: price.id,
    object: 'plan',
    active: price.active,
    amount: price.unit_amount,
    amount_decimal: price.unit_amount_decimal,
    billing_scheme: price.billing_scheme,
    created: price.created,
    currency: price.currency,
    interval: price.recurring?.interval ?? 'month',
    interval_count: price.recurring?.interval_count ?? 1,
    livemode: false,
    metadata: price.metadata,
    meter: price.recurring?.meter ?? null,
    nickname: price.nickname,
    product: price.product,
    tiers_mode: price.tiers_mode,
    transform_usage: null,
    trial_period_days: null,
    usage_type: price.recurring?.usage_type ?? 'licensed',
  };
}

function createTaxRate(tx: Tx, params: Params): TaxRate {
  const percentage = Number(params.required('percentage'));
  if (!/^\d{1,3}(\.\d{1,4})?$/.test(params.required('percentage')) || percentage > 100)
    throw invalid('Invalid percentage', 'percentage');
  const rate: TaxRate = {
    id: tx.newId('tax_rate'),
    object: 'tax_rate',
    active: params.flag('active') ?? true,
    country: params.text('country') ?? null,
    created: tx.now,
    description: params.text('description') ?? null,
    display_name: params.required('display_name'),
    effective_percentage: percentage,
    flat_amount: null,
    inclusive: params.flag('inclusive') ?? false,
    jurisdiction: params.text('jurisdiction') ?? null,
    jurisdiction_level: null,
    livemode: false,
    metadata: params.metadata(),
    percentage,
    rate_type: 'percentage',
    state: params.text('state') ?? null,
    tax_type: params.oneOf('tax_type', ['vat', 'sales_tax', 'gst']) ?? null,
  };
  return tx.create('tax_rate', rate, 'tax_rate.created');
}

function updateTaxRate(tx: Tx, id: string, params: Params): TaxRate {
  const rate = tx.need('tax_rate', id);
  const changed: TaxRate = {
    ...rate,
    active: params.flag('active') ?? rate.active,
    description: params.emptyable('description') ?? rate.description,
    display_name: params.text('display_name') ?? rate.display_name,
    metadata: params.metadata(rate.metadata ?? {}),
  };
  return tx.update('tax_rate', changed, 'tax_rate.updated');
}

export const catalogueRoutes: readonly Route[] = [
  { method: 'POST', path: '/v1/products', run: ({ tx, params }) => createProduct(tx, params) },
  { method: 'GET', path: '/v1/products/:id', run: ({ tx, id }) => productOf(tx, id) },
  { method: 'POST', path: '/v1/products/:id', run: ({ tx, id, params }) => updateProduct(tx, id, params) },
  { method: 'DELETE', path: '/v1/products/:id', run: ({ tx, id }) => deleteProduct(tx, id) },
  listing('product', '/v1/products', (params) => {
    const [active, ids] = [params.flag('active'), params.texts('ids')];
    return (product) =>
      matching(active, (value) => product.active === value) && matching(ids, (value) => value.includes(product.id));
  }),
  { method: 'POST', path: '/v1/prices', run: ({ tx, params }) => newPrice(tx, params, productFor(tx, params)) },
  retrieving('price', '/v1/prices'),
  { method: 'POST', path: '/v1/prices/:id', run: ({ tx, id, params }) => updatePrice(tx, id, params) },
  listing('price', '/v1/prices', (params) => {
    const [active, product, type, currency] = [
      params.flag('active'),
      params.text('product'),
      params.text('type'),
      params.text('currency'),
    ];
    const keys = params.texts('lookup_keys');
    const recurring = params.child('recurring');
    const [interval, usageType] = [recurring?.text('interval'), recurring?.text('usage_type')];
    return (price) =>
      matching(active, (value) => price.active === value) &&
      matching(product, (value) => price.product === value) &&
      matching(type, (value) => price.type === value) &&
      matching(currency, (value) => price.currency === value) &&
      matching(keys, (value) => price.lookup_key !== null && value.includes(price.lookup_key)) &&
      matching(interval, (value) => price.recurring?.interval === value) &&
      matching(usageType, (value) => price.recurring?.usage_type === value);
  }),
  { method: 'POST', path: '/v1/tax_rates', run: ({ tx, params }) => createTaxRate(tx, params) },
  retrieving('tax_rate', '/v1/tax_rates'),
  { method: 'POST', path: '/v1/tax_rates/:id', run: ({ tx, id, params }) => updateTaxRate(tx, id, params) },
  listing('tax_rate', '/v1/tax_rates', (params) => {
    const active = params.flag('active');
    return (rate) => matching(active, (value) => rate.active === value);
  }),
];
