import type { Invoice, InvoiceLine } from '../../../apps/stripe-sandbox/core/model.js';
import type { Life } from './life.js';
import type { Extra, Market } from './market.js';

type Count = (life: Life, market: Market) => number;

const paidInvoices = ({ stripe }: Life): readonly Invoice[] =>
  stripe.all('invoice').filter(({ status, parent }) => status === 'paid' && parent !== null);

const linesWhere =
  (wanted: (line: InvoiceLine, invoice: Invoice, market: Market) => boolean): Count =>
  (life, market) =>
    paidInvoices(life).reduce(
      (sum, invoice) => sum + invoice.lines.data.filter((line) => wanted(line, invoice, market)).length,
      0,
    );

const priceOf = (line: InvoiceLine): string => line.pricing?.price_details?.price ?? '';
const isPlan = (line: InvoiceLine, { offers }: Market): boolean =>
  offers.some(({ priceId }) => priceId === priceOf(line));
const isExtra = (line: InvoiceLine, { extras }: Market, sort: Extra['sort']): boolean =>
  extras.some((extra) => extra.priceId === priceOf(line) && extra.sort === sort);
const isProration = (line: InvoiceLine): boolean => line.parent?.invoice_item_details?.proration === true;
const isYearly = (line: InvoiceLine, { offers }: Market): boolean =>
  offers.some(({ priceId, interval }) => priceId === priceOf(line) && interval === 'year');

const startsOn =
  (days: (date: Date) => boolean): Count =>
  ({ stripe }) =>
    stripe.all('subscription').filter(({ start_date: start }) => days(new Date(start * 1000))).length;

/** Refunds of a part of a year's money, by whether its subscription had ended then. */
const refundsOfYears =
  (ended: boolean): Count =>
  (life, market) => {
    const years = paidInvoices(life).filter(({ lines }) => lines.data.some((line) => isYearly(line, market)));
    const ends = new Map(life.stripe.all('subscription').map(({ id, ended_at: at }) => [id, at ?? Infinity]));
    return life.stripe.all('refund').filter(({ status, payment_intent: intent, amount, created }) => {
      const invoice = years.find(({ sandbox }) => sandbox.paymentIntent === intent);
      const end = ends.get(invoice?.parent?.subscription_details.subscription ?? '') ?? Infinity;
      return (
        status === 'succeeded' && invoice !== undefined && amount < invoice.amount_paid && end <= created === ended
      );
    }).length;
  };

/** Disputes that were opened when all that the money bought had expired. */
const lateDisputes: Count = (life, market) => {
  const months = paidInvoices(life).filter(({ lines }) => lines.data.some((line) => isPlan(line, market)));
  return life.stripe.all('dispute').filter(({ payment_intent: intent, created }) => {
    const invoice = months.find(({ sandbox }) => sandbox.paymentIntent === intent);
    return invoice?.lines.data.every(({ period }) => period.end <= created) === true;
  }).length;
};

const changesOfPlan =
  (sign: 1 | -1): Count =>
  (life, market) =>
    paidInvoices(life).filter(({ lines }) => {
      const credits = lines.data.filter(isProration).reduce((sum, line) => {
        const offer = market.offers.find(({ priceId }) => priceId === priceOf(line));
        return sum + Math.sign(line.amount) * (offer?.creditsPerMonth ?? 0) * (line.quantity ?? 1);
      }, 0);
      return Math.sign(credits) === sign;
    }).length;

/** Three changes or more of a subscription that were paid within five minutes. */
const mintLoops: Count = ({ stripe }) =>
  stripe.all('subscription').filter(({ id }) => {
    const times = stripe
      .all('invoice')
      .filter(
        ({ parent, billing_reason: why }) =>
          parent?.subscription_details.subscription === id && why === 'subscription_update',
      )
      .map(({ created }) => created);
    return times.some((time) => times.filter((other) => other >= time && other < time + 300).length >= 3);
  }).length;

const movedTrials: Count = ({ standings }) => {
  const ends = Map.groupBy(
    standings.flatMap(({ subscription: { id, trial_end: end } }) => (end === null ? [] : [{ id, end }])),
    ({ id }) => id,
  );
  return [...ends.values()].filter((one) => new Set(one.map(({ end }) => end)).size > 1).length;
};

/**
 * What must happen often enough to be tested, counted by what is at Stripe at the end and not by what a story says: an action
 * that Stripe refuses every time counts for nothing.
 */
const counts = {
  'pack bought by Checkout': ({ stripe }) =>
    stripe.all('checkout.session').filter(({ mode, status }) => mode === 'payment' && status === 'complete').length,
  'pack bought by an intent': ({ stripe }) =>
    stripe
      .all('payment_intent')
      .filter(({ status, metadata }) => status === 'succeeded' && metadata['top_up'] === 'true').length,
  'bought by a payment link': ({ stripe }) =>
    stripe.all('checkout.session').filter(({ payment_link: link, status }) => link !== null && status === 'complete')
      .length,
  'month of a plan': linesWhere((line, _invoice, market) => isPlan(line, market) && !isYearly(line, market)),
  'year of a plan': linesWhere((line, _invoice, market) => isYearly(line, market) && !isProration(line)),
  'add-on of the catalogue': linesWhere((line, _invoice, market) => isExtra(line, market, 'listed')),
  'add-on that is not in the catalogue': linesWhere((line, _invoice, market) => isExtra(line, market, 'unlisted')),
  'metered use': linesWhere((line, _invoice, market) => isExtra(line, market, 'metered') && line.amount > 0),
  'one-off line': linesWhere(
    (line, _invoice, market) => priceOf(line) === '' && line.amount > 0 && !isProration(line) && !isPlan(line, market),
  ),
  'one-off line that takes off': linesWhere((line) => priceOf(line) === '' && line.amount < 0 && !isProration(line)),
  'plan not the first item': ({ stripe }, market) =>
    stripe
      .all('subscription')
      .filter(({ items: { data } }) => !market.offers.some(({ priceId }) => priceId === data[0]?.price.id)).length,
  'two plans on a subscription': ({ stripe }, market) =>
    stripe
      .all('subscription')
      .filter(
        ({ items: { data } }) =>
          data.filter(({ price }) => market.offers.some(({ priceId }) => priceId === price.id)).length > 1,
      ).length,
  'paid partly from the balance': (life) =>
    paidInvoices(life).filter(({ amount_paid: paid, total }) => paid > 0 && paid < total).length,
  'paid only from the balance': (life) =>
    paidInvoices(life).filter(({ amount_paid: paid, total }) => paid === 0 && total > 0).length,
  'paid out of band': (life) => paidInvoices(life).filter(({ sandbox }) => sandbox.outOfBand).length,
  'credit note': ({ stripe }) => stripe.all('credit_note').length,
  'credit note by line': ({ stripe }) =>
    stripe.all('credit_note').filter(({ lines }) => lines.data.some(({ type }) => type === 'invoice_line_item')).length,
  refund: ({ stripe }) => stripe.all('refund').filter(({ status }) => status === 'succeeded').length,
  'refund that failed': ({ stripe }) => stripe.all('refund').filter(({ status }) => status === 'failed').length,
  'refund of a part of a running year': refundsOfYears(false),
  'refund of a part of a cancelled year': refundsOfYears(true),
  'dispute lost': ({ stripe }) => stripe.all('dispute').filter(({ status }) => status === 'lost').length,
  'dispute won': ({ stripe }) => stripe.all('dispute').filter(({ status }) => status === 'won').length,
  'dispute of what has expired': lateDisputes,
  'change to more': changesOfPlan(1),
  'change to less': changesOfPlan(-1),
  'changes up and down within minutes': mintLoops,
  trial: ({ stripe }) => stripe.all('subscription').filter(({ trial_end: end }) => end !== null).length,
  'trial that was moved': movedTrials,
  'first period that is shorter': ({ stripe }) =>
    stripe
      .all('subscription')
      .filter(({ billing_cycle_anchor: anchor, start_date: start, trial_end: end }) => end === null && anchor > start)
      .length,
  'begins on the 29th to the 31st': startsOn((date) => date.getUTCDate() >= 29),
  'begins at the end of a February': startsOn((date) => date.getUTCMonth() === 1 && date.getUTCDate() >= 28),
  'period over a leap day': linesWhere((line, _invoice, market) => {
    const leap = Date.UTC(2028, 1, 29) / 1000;
    return isPlan(line, market) && line.period.start <= leap && line.period.end > leap;
  }),
  'subscription ended': ({ stripe }) => stripe.all('subscription').filter(({ ended_at: at }) => at !== null).length,
  'year ended early': ({ stripe }) =>
    stripe
      .all('subscription')
      .filter(
        ({ ended_at: at, items: { data } }) =>
          at !== null && data[0]?.price.recurring?.interval === 'year' && at < data[0].current_period_end,
      ).length,
  'customer deleted, and linked again': ({ stripe }) =>
    stripe.all('customer').filter(({ sandbox }) => sandbox.deleted).length,
  'invoice with tax': ({ stripe }) =>
    stripe.all('invoice').filter(({ total_taxes: taxes }) => taxes !== null && taxes.length > 0).length,
  discount: linesWhere((line) => (line.discount_amounts ?? []).some(({ amount }) => amount > 0)),
} as const satisfies Record<string, Count>;

export type Kind = keyof typeof counts;
export const kinds = Object.keys(counts) as readonly Kind[];
export type Occurrences = Readonly<Record<Kind, number>>;

/** How often each kind has happened in a life. */
export function kindsOf(life: Life, market: Market): Occurrences {
  const entries = kinds.map((kind) => [kind, (counts[kind] as Count)(life, market)]);
  return Object.fromEntries(entries) as Occurrences;
}

export function sumOfKinds(all: readonly Occurrences[]): Occurrences {
  return Object.fromEntries(kinds.map((kind) => [kind, all.reduce((sum, one) => sum + one[kind], 0)])) as Occurrences;
}
