import type { Books, DueGrant } from '../books/books.js';
import { DAY, secondsOf, textOf } from '../books/calendar.js';
import { freeSince } from '../books/subscription-books.js';
import type { Life } from '../story/life.js';
import { freePlan, type Market } from '../story/market.js';
import type { GrantSeen, LedgerView } from './ledger-view.js';

export const ROLLED_OVER = 'rolled over';
const isPaidFor = ({ source, description }: GrantSeen): boolean =>
  source !== 'free_tier' && source !== 'trial' && description !== ROLLED_OVER;

export const shown = ({ source, amount, cost, currency, reference, createdAt, expiresAt }: GrantSeen): string =>
  `${source} ${String(amount)} for ${String(cost)} ${String(currency)} by ${String(reference)}, ${createdAt} to ${String(expiresAt)}`;
const wanted = ({ why, amount, cost, reference, endsAt }: DueGrant): string =>
  `${why} ${String(amount)} for ${String(cost)} by ${String(reference)} until ${endsAt === null ? 'ever' : textOf(endsAt)}`;

/** A grant and the reason that it has. */
export type Pair = { readonly grant: GrantSeen; readonly due: DueGrant };
export type Paired = { readonly pairs: readonly Pair[]; readonly faults: readonly string[] };

/**
 * Each grant has its reason, each reason its grant. What a change of plan gives may come as several grants, where what it is measured
 * by was reported after it.
 */
export function paired({ grants, changesAsReported }: Books, view: LedgerView): Paired {
  const known = pairedWith(grants, view);
  if (known.faults.length === 0) return known;
  const others = grants.filter(({ why }) => why !== 'proration');
  return pairedWith([...others, ...changesAsReported(reportedInvoices(view))], view);
}

/** The invoices of which the account has heard that they bought a period or a change, in this order. */
const reportedInvoices = ({ events }: LedgerView): readonly string[] => [
  ...new Set(
    events.flatMap(({ type, changeId, term, paymentReference }) => {
      if (type === 'PeriodChanged') return changeId ?? [];
      return type === 'CreditsGranted' && term?.kind === 'period' ? (paymentReference ?? []) : [];
    }),
  ),
];

/** What need not be comes last. */
function pairedWith(due: readonly DueGrant[], { grants }: LedgerView): Paired {
  const open = [...due];
  const pairs: Pair[] = [];
  // Of several that came late the first is for what was due first.
  let left = grants
    .filter(isPaidFor)
    .sort((a, b) => (`${a.createdAt} ${a.effectiveAt}` < `${b.createdAt} ${b.effectiveAt}` ? -1 : 1));
  for (const optional of [false, true]) {
    for (const fits of [endsOnTime, endsLate]) {
      left = left.filter((grant) => {
        const index = open.findIndex((one) => one.optional === optional && isFor(one, grant) && fits(one, grant));
        const [found] = index < 0 ? [] : open.splice(index, 1);
        if (found !== undefined) pairs.push({ grant, due: found });
        return found === undefined;
      });
    }
  }
  const faults = [
    ...left.map((grant) => `a grant without a reason: ${shown(grant)}`),
    ...open.filter(({ optional }) => !optional).map((one) => `no grant for ${wanted(one)}`),
  ];
  return { pairs, faults };
}

const isFor = (due: DueGrant, { source, reference, amount, cost }: GrantSeen): boolean =>
  due.source === source && due.reference === reference && due.amount === amount && due.cost === cost;

/** What is for a time to come begins with it, and all of it ends with its time. */
function endsOnTime({ startsAt, endsAt }: DueGrant, { createdAt, effectiveAt, expiresAt }: GrantSeen): boolean {
  if (endsAt === null || expiresAt === null) return endsAt === expiresAt;
  const begins = startsAt === null || startsAt === secondsOf(effectiveAt);
  return begins && secondsOf(expiresAt) === endsAt && endsAt > secondsOf(createdAt);
}

/** What was recorded after its own end is for its own time, lasts at least a moment and at most as long as it would have. */
function endsLate({ startsAt, endsAt, why }: DueGrant, { createdAt, effectiveAt, expiresAt }: GrantSeen): boolean {
  if (endsAt === null || expiresAt === null) return false;
  const begins = startsAt === null || startsAt === secondsOf(effectiveAt);
  const [created, end] = [secondsOf(createdAt), secondsOf(expiresAt)];
  return begins && endsAt <= created && end > created && end <= created + (why === 'pack' ? 90 : 31) * DAY;
}

/** The free plan's credits: once a calendar month, to whom a subscription has ended; those of a month to come may be withdrawn. */
export function freeFaults(life: Life, { grants }: LedgerView): readonly string[] {
  const since = freeSince(life);
  const months = new Set<string>();
  return grants
    .filter(({ source, amount, revoked }) => source === 'free_tier' && revoked < amount)
    .flatMap((grant) => {
      const month = grant.effectiveAt.slice(0, 7);
      const again = months.has(month);
      months.add(month);
      const early = since === null || Math.max(secondsOf(grant.createdAt), secondsOf(grant.effectiveAt)) < since;
      const right = grant.amount === freePlan.creditsPerMonth && grant.cost === null && !again && !early;
      return right ? [] : [`a free month too many, or wrong: ${shown(grant)}`];
    });
}

/** What goes on into the next month is at most the cap, and no more than nobody has used. */
export function rolloverFaults({ offers }: Market, { grants }: LedgerView): readonly string[] {
  const cap = Math.max(...offers.map(({ policy }) => policy.rolloverCap));
  const rolled = grants.filter(({ description }) => description === ROLLED_OVER);
  const unused = grants
    .filter(({ source }) => source === 'subscription')
    .reduce((sum, { amount, consumed, repaid, held }) => sum + amount - consumed - repaid - held, 0);
  const total = rolled.reduce((sum, { amount }) => sum + amount, 0);
  const tooMuch = rolled.filter(({ amount, cost }) => amount > cap || cost !== null).map(shown);
  return [
    ...tooMuch,
    ...(total > unused ? [`${String(total)} rolled over of ${String(unused)} that nobody used`] : []),
  ];
}
