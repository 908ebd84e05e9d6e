import type Stripe from 'stripe';
import { ApiError, invalid, missing } from '../../core/api/errors.js';
import type { PaymentMethod } from '../../core/model.js';
import type { Params } from '../../core/api/params.js';
import { listing, type Route } from '../../core/api/route.js';
import type { Tx } from '../../core/tx.js';
import { behaviourOfAccount, cardOfName, cardOfNumber, type TestCard } from './test-cards.js';

type Billing = Stripe.PaymentMethod.BillingDetails;
type Expiry = { readonly month: number; readonly year: number };

const noBilling: Billing = { address: null, email: null, name: null, phone: null, tax_id: null };

const yearOf = (seconds: number): number => new Date(seconds * 1000).getUTCFullYear();

function cardMethod(tx: Tx, card: TestCard, billing: Billing, expiry?: Expiry): PaymentMethod {
  return {
    id: tx.newId('payment_method'),
    object: 'payment_method',
    billing_details: billing,
    card: {
      brand: card.brand,
      checks: { address_line1_check: null, address_postal_code_check: null, cvc_check: 'pass' },
      country: 'US',
      display_brand: card.brand,
      exp_month: expiry?.month ?? 12,
      exp_year: expiry?.year ?? yearOf(tx.now) + 4,
      fingerprint: `fp${card.number.slice(-12)}`,
      funding: 'credit',
      generated_from: null,
      last4: card.number.slice(-4),
      networks: { available: [card.brand], preferred: null },
      regulated_status: 'unregulated',
      three_d_secure_usage: { supported: true },
      wallet: null,
    },
    created: tx.now,
    customer: null,
    customer_account: null,
    livemode: false,
    metadata: {},
    type: 'card',
    sandbox: { behaviour: card.behaviour },
  };
}

function sepaMethod(tx: Tx, iban: string, billing: Billing): PaymentMethod {
  const account = iban.replaceAll(' ', '').toUpperCase();
  if (!/^[A-Z]{2}\d{2}[A-Z0-9]{10,30}$/.test(account))
    throw invalid('The IBAN you provided is invalid.', 'sepa_debit[iban]', 'invalid_bank_account_iban');
  return {
    id: tx.newId('payment_method'),
    object: 'payment_method',
    billing_details: billing,
    created: tx.now,
    customer: null,
    customer_account: null,
    livemode: false,
    metadata: {},
    sepa_debit: {
      bank_code: account.slice(4, 9),
      branch_code: null,
      country: account.slice(0, 2),
      fingerprint: `fp${account.slice(-12)}`,
      generated_from: { charge: null, setup_attempt: null },
      last4: account.slice(-4),
    },
    type: 'sepa_debit',
    sandbox: { behaviour: behaviourOfAccount(account) },
  };
}

export type CardEntry = { readonly number: string; readonly month: number; readonly year: number };

/** A card method from what a person typed into a page; refuses numbers that are not test cards and dates that passed. */
export function cardFromEntry(tx: Tx, entry: CardEntry, billing: Partial<Billing> = {}): PaymentMethod {
  const digits = entry.number.replaceAll(/[\s-]/g, '');
  const card = cardOfNumber(digits);
  if (card === null) {
    throw cardRefused('incorrect_number', 'Your card number is incorrect. The sandbox takes Stripe test cards only.');
  }
  if (!Number.isInteger(entry.month) || entry.month < 1 || entry.month > 12) {
    throw cardRefused('invalid_expiry_month', "Your card's expiration month is invalid.");
  }
  const now = new Date(tx.now * 1000);
  if (
    !Number.isInteger(entry.year) ||
    entry.year * 12 + entry.month < now.getUTCFullYear() * 12 + now.getUTCMonth() + 1
  ) {
    throw cardRefused('invalid_expiry_year', "Your card's expiration year is invalid.");
  }
  return cardMethod(tx, card, { ...noBilling, ...billing }, entry);
}

const cardRefused = (code: string, message: string): ApiError =>
  new ApiError(402, { type: 'card_error', code, message });

/** A bank debit from what a person typed into a page. */
export const accountFromEntry = (tx: Tx, iban: string, billing: Partial<Billing> = {}): PaymentMethod =>
  sepaMethod(tx, iban, { ...noBilling, ...billing });

/** The method with this id. `pm_card_visa` and `tok_visa` are made into a new method each time they are used. */
export function methodOf(tx: Tx, id: string, param = 'payment_method'): PaymentMethod {
  const name = id.startsWith('pm_card_')
    ? id.slice('pm_card_'.length)
    : id.startsWith('tok_')
      ? id.slice('tok_'.length)
      : null;
  const card = name === null ? null : cardOfName(name);
  if (card !== null) return tx.create('payment_method', cardMethod(tx, card, noBilling), null);
  const method = tx.get('payment_method', id);
  if (method === null) throw missing('PaymentMethod', id, param, 400);
  return method;
}

/** Refuses a method that was detached, or used without a customer: it may not be used again. */
function refuseSpent({ sandbox }: PaymentMethod, param: string): void {
  if (sandbox.spent !== true) return;
  throw invalid(
    'The provided PaymentMethod was previously used with a PaymentIntent without Customer attachment, shared with a connected account without Customer attachment, or was detached from a Customer. It may not be used again. To use a PaymentMethod multiple times, you must attach it to a Customer first.',
    param,
  );
}

const notTheirs = (id: string, param: string): ApiError =>
  invalid(
    `The customer does not have a payment method with the ID ${id}. The payment method must be attached to the customer.`,
    param,
    'resource_missing',
  );

/** A method that a customer's invoices may be charged to: one of theirs, or a test card that becomes so. */
export function ownMethod(tx: Tx, id: string, customer: string, param: string): PaymentMethod {
  const method = methodOf(tx, id, param);
  refuseSpent(method, param);
  if (method.id === id && method.customer !== customer) throw notTheirs(id, param);
  return method;
}

/** A method for a payment by this customer, or by nobody: not used up, and not of somebody else. */
export function payingMethod(tx: Tx, id: string, customer: string | null, param = 'payment_method'): PaymentMethod {
  const method = methodOf(tx, id, param);
  refuseSpent(method, param);
  if (method.customer === null || method.customer === customer) return method;
  if (customer !== null) throw notTheirs(id, param);
  throw invalid(
    `The PaymentMethod ${id} belongs to the Customer ${method.customer}. Please include the Customer in the \`customer\` parameter on the PaymentIntent.`,
    param,
  );
}

/** What was paid with a method without a customer uses it up. */
export function spend(tx: Tx, id: string): void {
  const method = tx.need('payment_method', id);
  if (method.customer === null)
    tx.put('payment_method', id, { ...method, sandbox: { ...method.sandbox, spent: true } });
}

/** Attaches a method to a customer. A card that is declined refuses here, unless it is the one that only fails later. */
export function attach(tx: Tx, method: PaymentMethod, customer: string): PaymentMethod {
  if (tx.get('customer', customer)?.sandbox.deleted === true) throw missing('customer', customer, 'customer', 400);
  if (method.customer === customer) return method;
  if (method.customer !== null) {
    throw invalid(
      'The payment method you provided has already been attached to a customer.',
      'customer',
      'payment_method_already_attached',
    );
  }
  const { behaviour } = method.sandbox;
  if (method.sandbox.spent === true) {
    throw invalid(
      'This PaymentMethod was previously used without being attached to a Customer or was detached from a Customer, and may not be used again.',
      'payment_method',
    );
  }
  if (behaviour.refusesAttach === true) {
    throw new ApiError(402, {
      type: 'card_error',
      code: behaviour.errorCode ?? 'card_declined',
      decline_code: behaviour.declineCode ?? 'generic_decline',
      message: 'Your card was declined.',
    });
  }
  const attached = { ...method, customer };
  tx.put('payment_method', method.id, attached);
  tx.emit('payment_method.attached', attached);
  return attached;
}

function billingOf(params: Params | undefined): Billing {
  const given = params?.child('billing_details');
  const address = given?.child('address');
  return {
    ...noBilling,
    email: given?.emptyable('email') ?? null,
    name: given?.emptyable('name') ?? null,
    phone: given?.emptyable('phone') ?? null,
    address:
      address === undefined
        ? null
        : {
            city: address.emptyable('city') ?? null,
            country: address.emptyable('country') ?? null,
            line1: address.emptyable('line1') ?? null,
            line2: address.emptyable('line2') ?? null,
            postal_code: address.emptyable('postal_code') ?? null,
            state: address.emptyable('state') ?? null,
          },
  };
}

/** A method from `type` and `card` or `sepa_debit` parameters, as in `payment_methods` and `payment_method_data`. */
export function methodFromParams(tx: Tx, params: Params): PaymentMethod {
  const type = params.oneOf('type', ['card', 'sepa_debit']) ?? params.required('type');
  const billing = billingOf(params);
  const metadata = params.metadata();
  if (type === 'sepa_debit') {
    const iban = params.child('sepa_debit')?.required('iban') ?? '';
    return tx.create('payment_method', { ...sepaMethod(tx, iban, billing), metadata }, null);
  }
  const card = params.child('card');
  const token = card?.text('token');
  card?.accept('cvc');
  if (token !== undefined) {
    const known = cardOfName(token.replace(/^tok_/, ''));
    if (known === null) throw missing('token', token, 'card[token]', 400);
    return tx.create('payment_method', { ...cardMethod(tx, known, billing), metadata }, null);
  }
  const entry = {
    number: card?.required('number') ?? '',
    month: card?.requiredInteger('exp_month') ?? 0,
    year: card?.requiredInteger('exp_year') ?? 0,
  };
  return tx.create('payment_method', { ...cardFromEntry(tx, entry, billing), metadata }, null);
}

function detach(tx: Tx, id: string): PaymentMethod {
  const method = tx.need('payment_method', id);
  if (method.customer === null)
    throw invalid(
      'The payment method you provided is not attached to a customer so detachment is impossible.',
      'payment_method',
    );
  const customer = tx.need('customer', method.customer);
  const detached: PaymentMethod = { ...method, customer: null, sandbox: { ...method.sandbox, spent: true } };
  tx.put('payment_method', id, detached);
  tx.emit('payment_method.detached', detached, method);
  if (customer.invoice_settings.default_payment_method === id) {
    const settings = { ...customer.invoice_settings, default_payment_method: null };
    tx.update('customer', { ...customer, invoice_settings: settings }, 'customer.updated');
  }
  for (const subscription of tx.ownedBy('subscription', customer.id)) {
    if (subscription.default_payment_method === id)
      tx.update('subscription', { ...subscription, default_payment_method: null }, 'customer.subscription.updated');
  }
  for (const invoice of tx.ownedBy('invoice', customer.id)) {
    if (invoice.default_payment_method === id && ['draft', 'open'].includes(invoice.status))
      tx.put('invoice', invoice.id, { ...invoice, default_payment_method: null });
  }
  return detached;
}

export const paymentMethodRoutes: readonly Route[] = [
  { method: 'POST', path: '/v1/payment_methods', run: ({ tx, params }) => methodFromParams(tx, params) },
  { method: 'GET', path: '/v1/payment_methods/:id', run: ({ tx, id }) => methodOf(tx, id, 'id') },
  {
    method: 'POST',
    path: '/v1/payment_methods/:id',
    run: ({ tx, id, params }) => {
      const method = tx.need('payment_method', id);
      const billing = params.has('billing_details')
        ? { ...method.billing_details, ...billingOf(params) }
        : method.billing_details;
      return tx.update(
        'payment_method',
        { ...method, billing_details: billing, metadata: params.metadata(method.metadata ?? {}) },
        'payment_method.updated',
      );
    },
  },
  {
    method: 'POST',
    path: '/v1/payment_methods/:id/attach',
    run: ({ tx, id, params }) => {
      const customer = tx.need('customer', params.required('customer'), 'customer');
      return attach(tx, methodOf(tx, id), customer.id);
    },
  },
  { method: 'POST', path: '/v1/payment_methods/:id/detach', run: ({ tx, id }) => detach(tx, id) },
  listing('payment_method', '/v1/payment_methods', (params) => {
    const [customer, type] = [params.text('customer'), params.text('type')];
    return (method) => method.customer === (customer ?? null) && (type === undefined || method.type === type);
  }),
  listing('payment_method', '/v1/customers/:id/payment_methods', (params, { id }) => {
    const type = params.text('type');
    return (method) => method.customer === id && (type === undefined || method.type === type);
  }),
];
