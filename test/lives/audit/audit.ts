import { creditsFor, type Books, type DueGrant, type DuePayment } from '../books/books.js';
import { DAY, secondsOf, textOf } from '../books/calendar.js';
import type { AccountEventSeen, GrantSeen, LedgerView, Row } from './ledger-view.js';
import type { Life } from '../story/life.js';
import { freePlan, type Market } from '../story/market.js';
import { freeSince } from '../books/subscription-books.js';

/** Everything in which Scrip and the books of a life differ; empty when all is as it should be. */
export function audit(life: Life, market: Market, books: Books, view: LedgerView, consumed: number): readonly string[] {
  return [
    ...books.faults,
    ...grantFaults(books, view),
    ...freeFaults(life, view),
    ...rolloverFaults(market, view),
    ...[...books.payments.values()].flatMap((payment) => claimFaults(payment, view)),
    ...downgradeFaults(books, view),
    ...paymentFaults(books, view),
    ...invoiceFaults(life, view),
    ...subscriptionFaults(life, market, view),
    ...balanceFaults(view, consumed),
  ];
}

const ROLLED_OVER = 'rolled over';
const isPaidFor = ({ source, description }: GrantSeen): boolean =>
  source !== 'free_tier' && description !== ROLLED_OVER;

const shown = ({ source, amount, cost, currency, reference, createdAt, expiresAt }: GrantSeen): string =>
  `${source} ${String(amount)} for ${String(cost)} ${String(currency)} by ${String(reference)}, ${createdAt} to ${String(expiresAt)}`;
const wanted = ({ why, amount, cost, reference, endsAt }: DueGrant): string =>
  `${why} ${String(amount)} for ${String(cost)} by ${String(reference)} until ${endsAt === null ? 'ever' : textOf(endsAt)}`;

/** Each grant has its reason, each reason its grant; what need not be comes last. */
function grantFaults({ grants: due }: Books, { grants }: LedgerView): readonly string[] {
  const open = [...due];
  // Of several that came late the first is for what was due first.
  let left = grants.filter(isPaidFor).sort((a, b) => (a.createdAt < b.createdAt ? -1 : 1));
  for (const optional of [false, true]) {
    for (const fits of [endsOnTime, endsLate]) {
      left = left.filter((grant) => {
        const index = open.findIndex((one) => one.optional === optional && isFor(one, grant) && fits(one, grant));
        if (index >= 0) open.splice(index, 1);
        return index < 0;
      });
    }
  }
  return [
    ...left.map((grant) => `a grant without a reason: ${shown(grant)}`),
    ...open.filter(({ optional }) => !optional).map((one) => `no grant for ${wanted(one)}`),
  ];
}

const isFor = (due: DueGrant, { source, reference, amount, cost }: GrantSeen): boolean =>
  due.source === source && due.reference === reference && due.amount === amount && due.cost === cost;

const endsOnTime = ({ endsAt }: DueGrant, { createdAt, expiresAt }: GrantSeen): boolean =>
  endsAt === null || expiresAt === null
    ? endsAt === expiresAt
    : secondsOf(expiresAt) === endsAt && endsAt > secondsOf(createdAt);

/** What was recorded after its own end lasts at least a moment and at most as long as it would have. */
function endsLate({ endsAt, why }: DueGrant, { createdAt, expiresAt }: GrantSeen): boolean {
  if (endsAt === null || expiresAt === null) return false;
  const [created, end] = [secondsOf(createdAt), secondsOf(expiresAt)];
  return endsAt <= created && end > created && end <= created + (why === 'pack' ? 90 : 31) * DAY;
}

/** The free plan's credits: once a calendar month, to whom a subscription has ended. */
function freeFaults(life: Life, { grants }: LedgerView): readonly string[] {
  const since = freeSince(life);
  const months = new Set<string>();
  return grants
    .filter(({ source }) => source === 'free_tier')
    .flatMap((grant) => {
      const month = grant.createdAt.slice(0, 7);
      const again = months.has(month);
      months.add(month);
      const early = since === null || secondsOf(grant.createdAt) < since;
      const right = grant.amount === freePlan.creditsPerMonth && grant.cost === null && !again && !early;
      return right ? [] : [`a free month too many, or wrong: ${shown(grant)}`];
    });
}

/** What goes on into the next month is at most the cap, and no more than has expired. */
function rolloverFaults({ offers }: Market, { grants }: LedgerView): readonly string[] {
  const cap = Math.max(...offers.map(({ policy }) => policy.rolloverCap));
  const rolled = grants.filter(({ description }) => description === ROLLED_OVER);
  const expired = grants
    .filter(({ source }) => source === 'subscription')
    .reduce((sum, grant) => sum + grant.expired, 0);
  const total = rolled.reduce((sum, { amount }) => sum + amount, 0);
  const tooMuch = rolled.filter(({ amount, cost }) => amount > cap || cost !== null).map(shown);
  return [...tooMuch, ...(total > expired ? [`${String(total)} rolled over of ${String(expired)} expired`] : [])];
}

/** Credits that events have taken back of a grant for refunds and disputes, what is still given back taken off. */
function takenOf(grantId: string, events: readonly AccountEventSeen[]): number {
  const debts = new Set<string>();
  let taken = 0;
  for (const { type, amount = 0, writtenOff = 0, cause, ...event } of events) {
    if (cause === undefined || !['refund', 'dispute'].includes(cause.kind)) continue;
    if (type === 'CreditsRevoked' && event.grantId === grantId) taken += amount + writtenOff;
    if (type === 'CreditsReinstated' && event.grantId === grantId) taken -= amount + writtenOff;
    if (type === 'DebtIncurred' && cause.grantId === grantId) {
      taken += amount;
      debts.add(event.debtId ?? '');
    }
    if (type === 'DebtForgiven' && debts.has(event.debtId ?? ''))
      taken -= (event.restored ?? []).reduce((sum, slice) => sum + slice.amount, amount);
  }
  return taken;
}

type Taken = { readonly grantId: string; readonly invoiceId: string; readonly amount: number };

/** What changes to less have taken of which grant, and have given back again. */
const takenForDowngrades = (events: readonly AccountEventSeen[]): readonly Taken[] =>
  events.flatMap(({ type, cause, amount = 0, grantId, allocations = [] }): readonly Taken[] => {
    if (cause?.kind !== 'downgrade') return [];
    const { id: invoiceId } = cause;
    if (type === 'CreditsReinstated') return [{ grantId: grantId ?? '', invoiceId, amount: -amount }];
    return type === 'CreditsRevoked' ? allocations.map((slice) => ({ ...slice, invoiceId })) : [];
  });

const downgradedOf = (grantId: string, events: readonly AccountEventSeen[]): number =>
  takenForDowngrades(events).reduce((sum, taken) => (taken.grantId === grantId ? sum + taken.amount : sum), 0);

/**
 * Whether credits of the grant that had repaid a debt came back when the debt was undone. If they have expired meanwhile, both
 * that expiry and what was taken back of them before stand; a dispute that is open does not reserve them.
 */
const cameBack = (grantId: string, events: readonly AccountEventSeen[]): boolean =>
  events.some(
    ({ type, restored = [] }) => type === 'DebtForgiven' && restored.some((slice) => slice.grantId === grantId),
  );

/** What went back of a payment has taken its share of the credits that it bought, as far as they had not expired. */
function claimFaults(payment: DuePayment, { grants, events }: LedgerView): readonly string[] {
  return grants
    .filter(({ reference }) => reference === payment.id)
    .flatMap((grant) => {
      const due = creditsFor(grant.amount, payment.taken, payment);
      const taken = takenOf(grant.id, events);
      const most = Math.min(due, grant.amount - grant.expired - downgradedOf(grant.id, events));
      const reserved = creditsFor(grant.amount, payment.taken + payment.reserved, payment) - due;
      const held = Math.min(reserved, grant.free + grant.held);
      const about = `of ${shown(grant)}, of whose ${String(payment.amount)} went back ${String(payment.taken)} (${String(payment.reserved)})`;
      return [
        ...(taken === most || (cameBack(grant.id, events) && taken >= most && taken <= due)
          ? []
          : [`taken back ${String(taken)}, not ${String(most)}, ${about}`]),
        ...(grant.held === held || (cameBack(grant.id, events) && grant.held < held)
          ? []
          : [`reserved ${String(grant.held)}, not ${String(held)}, ${about}`]),
      ];
    });
}

function downgradeFaults({ downgrades }: Books, { events }: LedgerView): readonly string[] {
  const taken = new Map<string, number>();
  for (const { invoiceId, amount } of takenForDowngrades(events))
    taken.set(invoiceId, (taken.get(invoiceId) ?? 0) + amount);
  return [...taken]
    .filter(([id, amount]) => amount > (downgrades.get(id) ?? 0))
    .map(([id, amount]) => `${id} took ${String(amount)} for a downgrade of ${String(downgrades.get(id) ?? 0)}`);
}

type RecordSeen = {
  readonly type: string | null;
  readonly status: string;
  readonly money: { readonly amount: number; readonly currency: string } | null;
  readonly refunded: number;
};

function paymentFaults({ payments: due }: Books, { payments }: LedgerView): readonly string[] {
  const rows = new Map(payments.map((row) => [String(row['id']), row]));
  const missing = [...due.values()].flatMap((payment) => {
    const record = recordIn(rows.get(payment.id));
    const is = record && [record.money?.amount, record.money?.currency, record.refunded, record.status, record.type];
    const be = [payment.amount, payment.currency, payment.taken, statusOf(payment), payment.type];
    return is?.join(' ') === be.join(' ') ? [] : [`payment ${payment.id} is ${String(is)}, not ${String(be)}`];
  });
  const invented = payments
    .filter((row) => row['part_of'] === null && !due.has(String(row['id'])))
    .filter((row) => !['failed', 'pending', 'cancelled'].includes(String(row['status'])))
    .map((row) => `a payment without a reason: ${String(row['record'])}`);
  return [...missing, ...invented];
}

const recordIn = (row: Row | undefined): RecordSeen | null =>
  row === undefined ? null : (JSON.parse(String(row['record'])) as RecordSeen);

function statusOf({ disputed, taken, amount }: DuePayment): string {
  if (disputed) return 'disputed';
  if (taken === 0) return 'succeeded';
  return taken >= amount ? 'refunded' : 'partially_refunded';
}

function invoiceFaults({ stripe }: Life, { invoices }: LedgerView): readonly string[] {
  const rows = new Map(invoices.map((row) => [String(row['id']), row]));
  return stripe.all('invoice').flatMap((invoice) => {
    const row = rows.get(invoice.id);
    const seen =
      row === undefined ? null : (JSON.parse(String(row['snapshot'])) as { amountPaid: number; total: number });
    const is = `${String(row?.['status'])} ${String(seen?.total)} ${String(seen?.amountPaid)}`;
    const be = `${invoice.status} ${String(invoice.total)} ${String(invoice.amount_paid)}`;
    return is === be ? [] : [`invoice ${invoice.id} is ${is}, not ${be}`];
  });
}

function subscriptionFaults({ stripe }: Life, market: Market, { subscriptions }: LedgerView): readonly string[] {
  const rows = new Map(subscriptions.map((row) => [String(row['id']), row]));
  return stripe.all('subscription').flatMap(({ id, status, items, cancel_at: cancelAt }) => {
    const item = items.data[0];
    const offer = market.offers.find(({ priceId }) => priceId === item?.price.id);
    const row = rows.get(id);
    const seen = row === undefined ? null : (JSON.parse(String(row['standing'])) as Row);
    const is = [row?.['status'], row?.['plan_id'], seen?.['interval'], seen?.['quantity'], seen?.['periodEnd']];
    const end = item === undefined ? null : textOf(item.current_period_end);
    const be = [status, offer?.planId, offer?.interval, item?.quantity, end];
    const cancels = [seen?.['cancelAt'], cancelAt === null ? null : textOf(cancelAt)].map(String);
    const same = is.join(' ') === be.join(' ') && cancels[0] === cancels[1];
    return same ? [] : [`subscription ${id} is ${String(is)} ${cancels[0]!}, not ${String(be)} ${cancels[1]!}`];
  });
}

/** Every credit is somewhere, and what was used is what customers were told that they had used. */
function balanceFaults({ grants, account }: LedgerView, consumed: number): readonly string[] {
  const sum = (part: 'free' | 'held' | 'consumed'): number => grants.reduce((total, grant) => total + grant[part], 0);
  const is = [Number(account?.['available'] ?? 0), Number(account?.['held'] ?? 0), consumed];
  const be = [sum('free'), sum('held'), sum('consumed')];
  return is.join(' ') === be.join(' ') ? [] : [`balance and use are ${is.join(' ')}, the grants say ${be.join(' ')}`];
}
