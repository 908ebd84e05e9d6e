import type Stripe from 'stripe';
import { invalid, missing } from '../../core/api/errors.js';
import { page } from '../../core/api/lists.js';
import type { Params } from '../../core/api/params.js';
import { listing, matching, retrieving, type Route } from '../../core/api/route.js';
import type { CreditGrant } from '../../core/model.js';
import { checkedCurrency } from '../../core/money.js';
import type { Tx } from '../../core/tx.js';
import { customerOf } from '../customers/customers.js';
import { leftOf, moveCredits } from './balance.js';

function create(tx: Tx, params: Params): CreditGrant {
  const customer = customerOf(tx, params.required('customer'), 'customer');
  const amount = params.child('amount');
  amount?.oneOf('type', ['monetary']);
  const monetary = amount?.child('monetary');
  if (monetary === undefined) throw invalid('Missing required param: amount[monetary].', 'amount', 'parameter_missing');
  const value = monetary.requiredInteger('value');
  if (value <= 0) throw invalid('The amount must be greater than 0.', 'amount[monetary][value]');
  const effectiveAt = params.integer('effective_at') ?? tx.now;
  const expiresAt = params.integer('expires_at') ?? null;
  if (expiresAt !== null && expiresAt <= Math.max(effectiveAt, tx.now))
    throw invalid('expires_at must be in the future and after effective_at.', 'expires_at');
  const priority = params.integer('priority') ?? 50;
  if (priority < 0 || priority > 100) throw invalid('The priority must be between 0 and 100.', 'priority');
  const grant: CreditGrant = {
    id: tx.newId('billing.credit_grant'),
    object: 'billing.credit_grant',
    amount: { monetary: { currency: checkedCurrency(monetary.required('currency')), value }, type: 'monetary' },
    applicability_config: { scope: scopeOf(params.child('applicability_config')?.child('scope')) },
    category: params.oneOf('category', ['paid', 'promotional']) ?? 'paid',
    created: tx.now,
    customer: customer.id,
    customer_account: null,
    effective_at: effectiveAt,
    expires_at: expiresAt,
    livemode: false,
    metadata: params.metadata(),
    name: params.text('name') ?? null,
    priority,
    test_clock: tx.testClock,
    updated: tx.now,
    voided_at: null,
  };
  tx.create('billing.credit_grant', grant, 'billing.credit_grant.created');
  moveCredits(tx, grant, { credit: 'credits_granted', value, effectiveAt });
  if (expiresAt !== null) tx.schedule(expiresAt, { task: 'expire_credit_grant', id: grant.id });
  return grant;
}

function scopeOf(scope: Params | undefined): CreditGrant['applicability_config']['scope'] {
  const prices = scope?.children('prices')?.map((price) => ({ id: price.required('id') }));
  const priceType = scope?.oneOf('price_type', ['metered']);
  if ((prices === undefined) === (priceType === undefined))
    throw invalid('You must give one of price_type and prices.', 'applicability_config[scope]', 'parameter_missing');
  return prices === undefined ? { price_type: 'metered' } : { prices };
}

function update(tx: Tx, id: string, params: Params): CreditGrant {
  const grant = tx.need('billing.credit_grant', id);
  const expiresAt = params.emptyableInteger('expires_at');
  if (expiresAt != null && expiresAt <= tx.now) throw invalid('expires_at must be in the future.', 'expires_at');
  if (expiresAt !== undefined && isOver(tx, grant))
    throw invalid('This credit grant has expired or was voided.', 'expires_at');
  const changed = {
    ...grant,
    expires_at: expiresAt === undefined ? grant.expires_at : expiresAt,
    metadata: params.metadata(grant.metadata),
    updated: tx.now,
  };
  if (expiresAt != null) tx.schedule(expiresAt, { task: 'expire_credit_grant', id });
  return tx.update('billing.credit_grant', changed, 'billing.credit_grant.updated');
}

const isOver = (tx: Tx, { expires_at, voided_at }: CreditGrant): boolean =>
  voided_at !== null || (expires_at !== null && expires_at <= tx.now);

/** Takes what is left of a grant at its end, if that is now. */
export function expireDue(tx: Tx, id: string): void {
  const grant = tx.get('billing.credit_grant', id);
  if (grant === null || grant.voided_at !== null || grant.expires_at === null || grant.expires_at > tx.now) return;
  moveCredits(tx, grant, { debit: 'credits_expired', value: leftOf(tx, grant) });
}

function expire(tx: Tx, id: string): CreditGrant {
  const grant = tx.need('billing.credit_grant', id);
  if (isOver(tx, grant)) throw invalid('This credit grant has expired or was voided and cannot be expired.');
  const changed = { ...grant, expires_at: tx.now, updated: tx.now };
  tx.update('billing.credit_grant', changed, 'billing.credit_grant.updated');
  expireDue(tx, id);
  return changed;
}

function voidGrant(tx: Tx, id: string): CreditGrant {
  const grant = tx.need('billing.credit_grant', id);
  if (isOver(tx, grant)) throw invalid('This credit grant has expired or was voided and cannot be voided.');
  const uses = tx.ownedBy('billing.credit_balance_transaction', id).filter(({ debit }) => debit !== null);
  if (uses.length > 0) throw invalid('This credit grant was applied to an invoice and cannot be voided.');
  const changed = { ...grant, voided_at: tx.now, updated: tx.now };
  tx.update('billing.credit_grant', changed, 'billing.credit_grant.updated');
  moveCredits(tx, changed, { debit: 'credits_voided', value: grant.amount.monetary.value });
  return changed;
}

/** Uses up money of a grant as an invoice does. */
export function applyGrant(tx: Tx, id: string, value: number, invoice: string): CreditGrant {
  const grant = tx.need('billing.credit_grant', id);
  if (isOver(tx, grant) || value < 1 || value > leftOf(tx, grant))
    throw invalid('The credit grant does not have so much left.', 'amount');
  moveCredits(tx, grant, { debit: 'credits_applied', value, invoice, line: tx.idWith('il') });
  return grant;
}

/** What a customer's grants have left by currency: of one grant, or of all of a scope. */
function summary(tx: Tx, params: Params): Stripe.Billing.CreditBalanceSummary {
  const customer = customerOf(tx, params.required('customer'), 'customer');
  const filter = params.child('filter');
  const type = filter?.oneOf('type', ['applicability_scope', 'credit_grant']);
  if (type === undefined) throw invalid('Missing required param: filter[type].', 'filter', 'parameter_missing');
  const scope = filter?.child('applicability_scope');
  const wanted = scope === undefined ? null : scopeOf(scope);
  const one = filter?.text('credit_grant');
  const grants = [...tx.all('billing.credit_grant')].filter(
    (grant) => grant.customer === customer.id && (type === 'credit_grant' ? grant.id === one : isIn(grant, wanted)),
  );
  if (type === 'credit_grant' && grants.length === 0)
    throw missing('billing.credit_grant', one ?? '', 'filter[credit_grant]', 400);
  const sums = new Map<string, number>();
  for (const grant of grants) {
    const { currency } = grant.amount.monetary;
    sums.set(currency, (sums.get(currency) ?? 0) + leftOf(tx, grant));
  }
  return {
    object: 'billing.credit_balance_summary',
    balances: [...sums].map(([currency, value]) => ({
      available_balance: { monetary: { currency, value }, type: 'monetary' },
      ledger_balance: { monetary: { currency, value }, type: 'monetary' },
    })),
    customer: customer.id,
    customer_account: null,
    livemode: false,
  };
}

function isIn(grant: CreditGrant, wanted: CreditGrant['applicability_config']['scope'] | null): boolean {
  const { scope } = grant.applicability_config;
  const prices = wanted?.prices?.map(({ id }) => id);
  return prices === undefined || scope.prices === undefined || scope.prices.some(({ id }) => prices.includes(id));
}

const path = '/v1/billing/credit_grants';
const transactionsPath = '/v1/billing/credit_balance_transactions';

export const creditGrantRoutes: readonly Route[] = [
  { method: 'POST', path, run: ({ tx, params }) => create(tx, params) },
  retrieving('billing.credit_grant', path),
  { method: 'POST', path: `${path}/:id`, run: ({ tx, id, params }) => update(tx, id, params) },
  { method: 'POST', path: `${path}/:id/expire`, run: ({ tx, id }) => expire(tx, id) },
  { method: 'POST', path: `${path}/:id/void`, run: ({ tx, id }) => voidGrant(tx, id) },
  listing('billing.credit_grant', path, (params) => {
    const customer = params.text('customer');
    return (grant) => matching(customer, (id) => grant.customer === id);
  }),
  { method: 'GET', path: '/v1/billing/credit_balance_summary', run: ({ tx, params }) => summary(tx, params) },
  retrieving('billing.credit_balance_transaction', transactionsPath),
  {
    method: 'GET',
    path: transactionsPath,
    run: ({ tx, params, path: url }) => {
      const customer = customerOf(tx, params.required('customer'), 'customer').id;
      const grant = params.text('credit_grant');
      const moves = [...tx.all('billing.credit_balance_transaction')].filter(
        (move) =>
          matching(grant, (id) => move.credit_grant === id) &&
          tx.get('billing.credit_grant', move.credit_grant)?.customer === customer,
      );
      return page(params, url, moves.reverse(), (move) => move.id);
    },
  },
];
