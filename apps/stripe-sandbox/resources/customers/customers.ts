import type Stripe from 'stripe';
import { invalid, missing } from '../../core/api/errors.js';
import type { Customer } from '../../core/model.js';
import type { Params } from '../../core/api/params.js';
import { listing, type Route } from '../../core/api/route.js';
import type { Tx } from '../../core/tx.js';
import { withCoupon } from '../catalog/discounts.js';
import { recordMove } from './balance.js';
import { attach, methodOf, ownMethod } from '../payments/methods.js';

type Details = Pick<
  Customer,
  | 'description'
  | 'email'
  | 'name'
  | 'phone'
  | 'metadata'
  | 'balance'
  | 'tax_exempt'
  | 'preferred_locales'
  | 'address'
  | 'shipping'
>;

/** An address as given, member by member; absent members are null. */
export function addressOf(params: Params | undefined): Stripe.Address | null {
  if (params === undefined) return null;
  const part = (key: string): string | null => params.emptyable(key) ?? null;
  return {
    city: part('city'),
    country: part('country'),
    line1: part('line1'),
    line2: part('line2'),
    postal_code: part('postal_code'),
    state: part('state'),
  };
}

function shippingOf(params: Params | undefined): Stripe.Customer.Shipping | null {
  if (params === undefined) return null;
  const address = addressOf(params.child('address'));
  return {
    name: params.required('name'),
    phone: params.emptyable('phone') ?? null,
    ...(address === null ? {} : { address }),
  };
}

/** A customer that is not deleted, or Stripe's `No such customer`: 404 for the customer of the address. */
export function customerOf(tx: Tx, id: string, param?: string): Customer {
  const customer = tx.need('customer', id, param);
  if (customer.sandbox.deleted) throw missing('customer', id, param ?? 'id', param === undefined ? 404 : 400);
  return customer;
}

export function newCustomer(tx: Tx, details: Partial<Details> = {}): Customer {
  const customer: Customer = {
    id: tx.newId('customer'),
    object: 'customer',
    address: null,
    balance: 0,
    created: tx.now,
    currency: null,
    customer_account: null,
    default_source: null,
    delinquent: false,
    description: null,
    discount: null,
    email: null,
    invoice_prefix: tx.code('invoice_prefix', 8).toUpperCase(),
    invoice_settings: { custom_fields: null, default_payment_method: null, footer: null, rendering_options: null },
    livemode: false,
    metadata: {},
    name: null,
    next_invoice_sequence: 1,
    phone: null,
    preferred_locales: [],
    shipping: null,
    tax_exempt: 'none',
    test_clock: tx.testClock,
    ...details,
    sandbox: { deleted: false },
  };
  return tx.create('customer', customer, 'customer.created');
}

function detailsFrom(params: Params, old: Details): Details {
  const email = params.emptyable('email');
  if (typeof email === 'string' && !/^[^\s@]+@[^\s@]+$/.test(email))
    throw invalid(`Invalid email address: ${email}`, 'email', 'email_invalid');
  const keep = <T>(given: T | undefined, before: T): T => (given === undefined ? before : given);
  return {
    description: keep(params.emptyable('description'), old.description),
    email: keep(email, old.email),
    name: keep(params.emptyable('name'), old.name ?? null),
    phone: keep(params.emptyable('phone'), old.phone ?? null),
    metadata: params.metadata(old.metadata),
    balance: params.integer('balance') ?? old.balance,
    tax_exempt: params.oneOf('tax_exempt', ['none', 'exempt', 'reverse']) ?? old.tax_exempt ?? 'none',
    preferred_locales: [...(params.texts('preferred_locales') ?? old.preferred_locales ?? [])],
    address: params.has('address') ? addressOf(params.child('address')) : (old.address ?? null),
    shipping: params.has('shipping') ? shippingOf(params.child('shipping')) : old.shipping,
  };
}

const nothing: Details = {
  description: null,
  email: null,
  name: null,
  phone: null,
  metadata: {},
  balance: 0,
  tax_exempt: 'none',
  preferred_locales: [],
  address: null,
  shipping: null,
};

/** Sets `invoice_settings[default_payment_method]`, the method that renewals are charged to. */
export function withDefaultMethod(customer: Customer, method: string | null): Customer {
  return { ...customer, invoice_settings: { ...customer.invoice_settings, default_payment_method: method } };
}

function withMethods(tx: Tx, customer: Customer, params: Params): Customer {
  const given = params.text('payment_method') ?? params.text('source');
  const settings = params.child('invoice_settings');
  const wanted = settings?.emptyable('default_payment_method');
  let attached: string | null = null;
  if (given !== undefined) attached = attach(tx, methodOf(tx, given), customer.id).id;
  if (wanted === undefined) return params.has('source') ? withDefaultMethod(customer, attached) : customer;
  if (wanted === null) return withDefaultMethod(customer, null);
  if (wanted === given) return withDefaultMethod(customer, attached);
  const method = ownMethod(tx, wanted, customer.id, 'invoice_settings[default_payment_method]');
  return withDefaultMethod(customer, attach(tx, method, customer.id).id);
}

const customersOfClock = 3;

function checkRoom(tx: Tx, clock: string): void {
  tx.need('test_helpers.test_clock', clock, 'test_clock');
  const living = [...tx.all('customer')].filter((one) => one.test_clock === clock && !one.sandbox.deleted);
  if (living.length >= customersOfClock)
    throw invalid(`A test clock can have at most ${customersOfClock} customers.`, 'test_clock');
}

function create(tx: Tx, params: Params): Customer {
  params.accept('tax', 'expand');
  const clock = params.text('test_clock');
  if (clock !== undefined) checkRoom(tx, clock);
  const customer = newCustomer(tx, detailsFrom(params, nothing));
  if (customer.balance !== 0)
    recordMove(tx, { ...customer, balance: 0 }, { amount: customer.balance, type: 'initial' });
  const complete = withCoupon(tx, withMethods(tx, customer, params), params.emptyable('coupon'));
  return complete === customer ? customer : tx.update('customer', complete, 'customer.updated');
}

function update(tx: Tx, id: string, params: Params): Customer {
  const customer = customerOf(tx, id);
  params.accept('tax');
  const details = detailsFrom(params, customer);
  const moved = details.balance - customer.balance;
  if (moved !== 0) recordMove(tx, customer, { amount: moved, type: 'adjustment' });
  const detailed = withMethods(tx, { ...customer, ...details }, params);
  const changed = withCoupon(tx, detailed, params.emptyable('coupon'));
  return tx.update('customer', changed, 'customer.updated');
}

function remove(tx: Tx, id: string): Customer {
  const customer = customerOf(tx, id);
  for (const subscription of tx.ownedBy('subscription', id))
    tx.follow({ task: 'cancel_subscription', id: subscription.id });
  const deleted = { ...customer, sandbox: { deleted: true } };
  tx.emit('customer.deleted', customer);
  tx.put('customer', id, deleted);
  return deleted;
}

export const customerRoutes: readonly Route[] = [
  { method: 'POST', path: '/v1/customers', run: ({ tx, params }) => create(tx, params) },
  { method: 'GET', path: '/v1/customers/:id', run: ({ tx, id }) => tx.need('customer', id) },
  { method: 'POST', path: '/v1/customers/:id', run: ({ tx, id, params }) => update(tx, id, params) },
  { method: 'DELETE', path: '/v1/customers/:id', run: ({ tx, id }) => remove(tx, id) },
  listing('customer', '/v1/customers', (params) => {
    const [email, clock] = [params.text('email'), params.text('test_clock') ?? null];
    return (customer) => (email === undefined || customer.email === email) && customer.test_clock === clock;
  }),
];
