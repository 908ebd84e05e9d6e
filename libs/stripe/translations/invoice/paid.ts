import { isAmount } from '#kernel/amount.js';
import type { Instant } from '#kernel/instant.js';
import { accountStream, DEFAULT_UNIT, invoiceStream, paymentStream, subscriptionStream } from '#kernel/stream-name.js';
import { allotmentKey, periodName } from '#ledger/subscription/allowance-keys.js';
import { planBoughtAt, type Plan, type PlanPrice } from '#ledger/catalog.js';
import type { InvoiceSnapshot } from '#ledger/invoice.js';
import { isSupportedCurrency } from '#kernel/currency.js';
import { normaliseInvoice, subjectOf, type Invoice, type InvoiceLine } from '../../shapes/billing.js';
import { normaliseInvoiceState } from '../../shapes/invoice-state.js';
import {
  commands,
  customerOf,
  incompleteLines,
  linkInvoice,
  namedCustomer,
  unknownCustomer,
  park,
  type FactCommand,
  type Lookups,
  type Translate,
  type Translation,
} from '../translation.js';
import { boughtBy, costOf, netOf, prorations } from './proration.js';
import { directionOf } from './direction.js';
import { soldBy } from './sale.js';
import { waitsForPrice } from './waiting.js';
import { naming } from '../naming.js';
import { grantOfSale, invoiceKey } from '../sale.js';

/**
 * `invoice.paid`, the only money-in of subscriptions. Each line of a plan grants what its price stands for in the catalogue, once
 * for each subscription item, period, price and quantity, so an invoice that Stripe issues again grants nothing again. Prorations
 * grant or take the difference by the plan's policy. An invoice without subscription is recorded only, unless its metadata says `top_up: true`.
 */
export const translateInvoicePaid: Translate = (event, lookups) => {
  const read = normaliseInvoice(subjectOf(event.payload), event.created);
  if ('unreadable' in read) return park('unknown_shape', null, read.unreadable);
  const invoice = read.ok;
  if (!isSupportedCurrency(invoice.currency)) {
    return park('unsupported_currency', invoice.currency.slice(0, 16), 'the ledger cannot keep this currency');
  }
  if (invoice.hasMoreLines) return park('lines_incomplete', invoice.id, incompleteLines('invoice'));
  const named = namedCustomer(invoice.subscriptionMetadata[lookups.customerKey], invoice.metadata[lookups.customerKey]);
  const customerId = named ?? customerOf(lookups, invoice.stripeCustomerId);
  if (customerId === null) {
    return unknownCustomer(invoice.stripeCustomerId, {
      [`metadata.${lookups.customerKey}`]:
        invoice.subscriptionMetadata[lookups.customerKey] ?? invoice.metadata[lookups.customerKey],
    });
  }
  const waits = waitsForPrice(invoice, lookups.catalog);
  if (waits !== null) return waits;
  const periods = paidPeriods(invoice, customerId, lookups);
  if (periods.kind === 'park') return periods;
  const sale = topUp(invoice, customerId, lookups);
  if (sale.kind === 'park') return sale;
  const state = normaliseInvoiceState(subjectOf(event.payload), event.created);
  const details = 'ok' in state ? { ...state.ok.snapshot, customerId } : null;
  return commands(
    ...sale.commands,
    ...periods.commands,
    recordInvoice(invoice, customerId, details),
    ...recordPayment(invoice, customerId, periods.commands.length > 0),
    ...linkInvoice(invoice.paymentIntentId, invoice.id, invoice.currency),
    ...naming(event, 'object', { stripeCustomerId: invoice.stripeCustomerId, customerId: named }),
  );
};

function topUp(invoice: Invoice, customerId: string, lookups: Lookups): Translation {
  // A paid Checkout session that made an invoice has granted already: only an invoice that says so itself is a sale of credits.
  if (invoice.subscriptionId !== null || invoice.metadata['top_up'] !== 'true') return commands();
  const { id, metadata, paidAt: soldAt, currency, amountPaid, paymentIntentId: intent, paidElsewhere } = invoice;
  const odd = invoice.oddLines.find((line) => line.net === null);
  if (odd !== undefined) return park('unknown_shape', id, odd.problem);
  const { net, charged } = soldBy(invoice, lookups.catalog);
  const paid = paidElsewhere ? null : costOf(amountPaid, currency);
  const sale = { session: null, intent, invoice: id, paid };
  const cost = costOf(net, currency);
  const purchase = { id, customerId, metadata, soldAt, cost, sale, charged, by: 'invoice' } as const;
  const grant = grantOfSale(purchase, lookups);
  return 'kind' in grant ? grant : commands(grant);
}

/** The lines of one subscription item, period and price: graduated prices and seats may make several of one plan. */
type Allotment = {
  readonly itemId: string;
  readonly priceId: string;
  readonly periodStart: Instant;
  readonly periodEnd: Instant;
  readonly lines: readonly InvoiceLine[];
};

/**
 * What the lines of subscriptions bought: those of each subscription by themselves, as an invoice may hold those of several. A line that
 * is of no plan is money and nothing else.
 */
function paidPeriods(invoice: Invoice, customerId: string, lookups: Lookups): Translation {
  const bySubscription = Map.groupBy(invoice.lines, (line) => line.subscriptionId ?? invoice.subscriptionId);
  const list: FactCommand[] = [];
  for (const [subscriptionId, lines] of bySubscription) {
    if (subscriptionId === null) continue;
    const own = { ...invoice, lines };
    const granted = periods(own, subscriptionId, customerId, lookups);
    if (granted.kind === 'park') return granted;
    const prorated = prorations(own, subscriptionId, customerId, lookups);
    if (prorated.kind === 'park') return prorated;
    // Changes first: what they leave counts against what the period gives, from the first moment on.
    list.push(...prorated.commands, ...granted.commands);
  }
  return commands(...list);
}

function periods(invoice: Invoice, subscriptionId: string, customerId: string, lookups: Lookups): Translation {
  const list: FactCommand[] = [];
  for (const allotment of allotmentsOf(invoice)) {
    const known = planBoughtAt(lookups.catalog, allotment.priceId, invoice.paidAt);
    if (known === null) continue;
    // A line of nothing is a trial's, unless the plan's price is nothing.
    if (known.price.money.amount > 0 && !allotment.lines.some((line) => line.amount > 0)) continue;
    const granted = period(allotment, known, { invoice, subscriptionId, customerId });
    if (granted.kind === 'park') return granted;
    list.push(...granted.commands);
  }
  return commands(...list);
}

function allotmentsOf(invoice: Invoice): readonly Allotment[] {
  const found = new Map<string, Allotment>();
  for (const line of invoice.lines) {
    const { subscriptionItemId: itemId, priceId, periodStart, periodEnd } = line;
    if (line.proration || line.amount < 0 || itemId === null || priceId === null || line.quantity === 0) continue;
    const key = `${itemId} ${periodStart} ${periodEnd} ${priceId}`;
    const lines = [...(found.get(key)?.lines ?? []), line];
    found.set(key, { itemId, priceId, periodStart, periodEnd, lines });
  }
  return [...found.values()];
}

type Context = {
  readonly invoice: Invoice;
  readonly subscriptionId: string;
  readonly customerId: string;
};

type Known = { readonly plan: Plan; readonly interval: 'month' | 'year'; readonly price: PlanPrice };

function period(allotment: Allotment, { plan, interval, price }: Known, context: Context): Translation {
  const { itemId, periodStart, periodEnd, lines } = allotment;
  const { invoice, subscriptionId, customerId } = context;
  const quantity = quantityOf(allotment);
  const creditsPerMonth = plan.creditsPerMonth * quantity;
  if (!isAmount(creditsPerMonth)) return park('unknown_shape', invoice.id, 'more credits than an account can hold');
  if (periodEnd <= periodStart) return park('unknown_shape', invoice.id, 'a line ends before it starts');
  const net = lines.reduce((sum, line) => sum + netOf(line), 0);
  const cost = costOf(net, invoice.currency);
  const insteadBy = isInstead(allotment, invoice) ? invoice.id : null;
  const name = periodName({ itemId, periodStart, periodEnd, priceId: allotment.priceId, quantity, insteadBy });
  const rolloverCap = plan.policy?.rolloverCap ?? 0;
  const record: FactCommand = {
    to: 'subscription',
    stream: subscriptionStream(subscriptionId),
    key: `period:${name}`,
    command: {
      type: 'RecordPaidPeriod',
      subscriptionId,
      customerId,
      planId: plan.id,
      interval,
      periodStart,
      periodEnd,
      itemId,
      creditsPerMonth,
      cost,
      first: invoice.billingReason === 'subscription_create',
      invoiceId: invoice.id,
      ...(rolloverCap === 0 ? {} : { rolloverCap }),
    },
  };
  if (creditsPerMonth === 0) return commands(record);
  const grant: FactCommand = {
    to: 'account',
    stream: accountStream(customerId, DEFAULT_UNIT),
    key: allotmentKey(name),
    command: {
      type: 'GrantPeriod',
      subscriptionId,
      itemId,
      periodStart,
      periodEnd,
      interval,
      creditsPerMonth,
      prorated: isProrated(allotment, price, invoice.currency),
      cost,
      rolloverCap,
      paymentReference: invoice.id,
      lines: boughtBy(lines),
      plan: { id: plan.id, credits: plan.creditsPerMonth, quantity },
      metadata: { plan: plan.id, subscription: subscriptionId },
    },
  };
  return commands(grant, record);
}

const quantityOf = ({ lines }: Allotment): number => lines.reduce((sum, { quantity }) => sum + quantity, 0);

/** Whether the invoice gives back what was bought before of the item, from the second on in which the period begins. */
const isInstead = ({ itemId, periodStart }: Allotment, { lines }: Invoice): boolean =>
  lines.some(
    (line) =>
      line.proration &&
      line.periodStart === periodStart &&
      [null, itemId].includes(line.subscriptionItemId) &&
      directionOf(line, lines) < 0,
  );

/** Whether less was charged than the price of a whole period; in a currency of which the price is not known it may be. */
function isProrated(allotment: Allotment, { money }: PlanPrice, currency: string): boolean {
  const charged = allotment.lines.reduce((sum, { amount }) => sum + amount, 0);
  return money.currency !== currency || charged < money.amount * quantityOf(allotment);
}

function recordInvoice(invoice: Invoice, customerId: string, details: InvoiceSnapshot | null): FactCommand {
  const { id, subscriptionId, amountPaid, total, currency, paidAt, periodStart, periodEnd, hostedInvoiceUrl } = invoice;
  return {
    to: 'invoice',
    stream: invoiceStream(id),
    key: invoiceKey(id),
    command: {
      type: 'RecordInvoicePaid',
      invoiceId: id,
      customerId,
      subscriptionId,
      paid: { amount: amountPaid, currency },
      total: { amount: total, currency },
      paidAt,
      periodStart,
      periodEnd,
      hostedInvoiceUrl,
      ...(details === null ? {} : { details }),
    },
  };
}

/**
 * The payment of a one-off invoice belongs to the session or intent that made it, unless it paid for a subscription too. One that a
 * balance paid whole is a payment of nothing: credit notes claim what it bought all the same.
 */
function recordPayment(invoice: Invoice, customerId: string, boughtPeriod: boolean): readonly FactCommand[] {
  const ownMoney = boughtPeriod || invoice.subscriptionId !== null || invoice.metadata['top_up'] === 'true';
  const { id, amountPaid, currency, paidAt } = invoice;
  const total = Math.max(0, invoice.total) + invoice.billingCredits;
  if (!ownMoney || amountPaid + total === 0) return [];
  return [
    {
      to: 'payment',
      stream: paymentStream(id),
      key: invoiceKey(id),
      command: {
        type: 'RecordPayment',
        paymentId: id,
        customerId,
        kind: kindOf(invoice, boughtPeriod),
        money: { amount: amountPaid, currency },
        total,
        ...(invoice.overpaid === 0 ? {} : { overpaid: invoice.overpaid }),
        paidAt,
        // Told by the link, in whatever shape and order it is heard of.
        paymentIntentId: null,
        invoiceId: id,
        sessionId: null,
      },
    },
  ];
}

function kindOf(
  { subscriptionId, billingReason }: Invoice,
  boughtPeriod: boolean,
): 'top_up' | 'subscription' | 'upgrade' {
  if (subscriptionId === null && !boughtPeriod) return 'top_up';
  return billingReason === 'subscription_update' ? 'upgrade' : 'subscription';
}
