import { MAX_AMOUNT, type Amount } from '#kernel/amount.js';
import { earlier, monthAfter, monthOf, plusMs, type Instant } from '#kernel/instant.js';
import type { Json } from '#kernel/json.js';
import type { AccountEvent, AccountEventOf, RevocationCause, Term } from './events.js';
import { REMEMBERED_MS } from '../subscription/paid-month.js';

/** A period from its start until it ends. */
export type Period = { readonly start: Instant; readonly end: Instant };

/** A month of credits of a subscription (or a trial), and what it gives for it. */
type TermPeriod = Period & {
  readonly subscriptionId: string;
  readonly kind: 'paid' | 'trial' | 'free';
  /** All items and seats, with changes within the month; without what went on of the month before. */
  readonly credits: Amount;
};

/**
 * What was consumed from a second on until the next sum, less what was given back of that. `since`: the revision of the first
 * consumption. Exact: with an overdraft it can go beyond 2^53.
 */
type UsageSum = { readonly from: Instant; readonly since: number; readonly consumed: bigint };

/** What is known of an account's usage. No rule asks for it: it is shown. */
export type Usage = {
  readonly periods: readonly TermPeriod[];
  /** When subscriptions ended. */
  readonly ends: readonly (readonly [subscriptionId: string, endedAt: Instant])[];
  /** Oldest first. */
  readonly sums: readonly UsageSum[];
};

/** Of one period: what was consumed in it, at most 2^53−1, and what the plan gives for it; `limit` is null without a plan. */
export type PeriodUsage = {
  readonly periodStart: Instant;
  readonly periodEnd: Instant;
  readonly consumed: Amount;
  readonly limit: Amount | null;
};

export const NO_USAGE: Usage = { periods: [], ends: [], sums: [] };

/** The newest seconds have a sum each, so that a period that is reported late finds its start. Older ones are joined by the month. */
export const DETAILED_SUMS = 32;
/** So many sums are kept in any case; more only of what the periods that are known are about. */
export const KEPT_SUMS = 64;

const DAY_MS = 86_400_000;
/** So long the period just past is shown while the next is not paid. */
const OVERDUE_MS = 31 * DAY_MS;

const takesOfPlan: readonly RevocationCause['kind'][] = ['downgrade', 'correction', 'ended', 'superseded'];

/**
 * Whether a plan's own rules take under a cause of what it gives. What a refund takes, the plan gave all the same; and what kept
 * credits meet of a period's grant, but not of a change within it, which gives only what they leave.
 */
export const isLessOfPlan = (cause: RevocationCause['kind'], term: Term | null): boolean =>
  takesOfPlan.includes(cause) || (cause === 'kept' && term?.kind === 'change');

/** The calendar month, UTC, that an instant is in. */
export const calendarMonth = (at: Instant): Period => ({
  start: `${monthOf(at)}-01T00:00:00.000Z`,
  end: monthAfter(monthOf(at)),
});

/** The usage as an event leaves it; `termOf`: the term of a grant that is known. */
export function usageAfter(
  usage: Usage,
  event: AccountEvent,
  revision: number,
  termOf: (grantId: string) => Term | null,
): Usage {
  switch (event.type) {
    case 'CreditsConsumed':
    case 'HoldCaptured':
      return { ...usage, sums: withConsumed(usage, event, revision) };
    case 'ConsumptionReversed':
      return { ...usage, sums: withReversed(usage.sums, event) };
    case 'CreditsGranted':
      return event.term === undefined ? usage : remembered(withCredits(usage, event.term, event.amount), event.at);
    case 'CreditsRevoked':
      return event.allocations.reduce(
        (after, { grantId, amount }) => withTaken(after, event.cause.kind, termOf(grantId), -amount),
        usage,
      );
    case 'CreditsReinstated':
      return withTaken(usage, event.cause.kind, termOf(event.grantId), event.amount);
    case 'TrialChanged':
      return remembered(withTrial(usage, event), event.at);
    case 'TermsEnded': {
      const { subscriptionId, endedAt } = event;
      const ends = usage.ends.filter(([id]) => id !== subscriptionId);
      ends.push([subscriptionId, endedAt]);
      const periods = usage.periods.map((period) =>
        isTrialOf(period, subscriptionId) ? { ...period, end: earlier(period.end, endedAt) } : period,
      );
      return remembered(
        { ...usage, periods: inOrder(periods), ends: ends.sort(([a], [b]) => (a < b ? -1 : 1)) },
        event.at,
      );
    }
    default:
      return usage;
  }
}

function withConsumed(
  { sums, periods }: Usage,
  { at, amount }: { readonly at: Instant; readonly amount: Amount },
  revision: number,
): readonly UsageSum[] {
  const from = `${at.slice(0, 19)}.000Z`;
  const last = sums.at(-1);
  if (last?.from === from) return sums.with(-1, { ...last, consumed: last.consumed + BigInt(amount) });
  const all = [...sums, { from, since: revision, consumed: BigInt(amount) }];
  const aged = all.length - 1 - DETAILED_SUMS;
  const [before, old] = [all[aged - 1], all[aged]];
  if (before !== undefined && old !== undefined && !isDivided(periods, before.from, old.from))
    all.splice(aged - 1, 2, { ...before, consumed: before.consumed + old.consumed });
  return all.length <= KEPT_SUMS ? all : withoutOldest(all, periods, at);
}

/** An account with many subscriptions has as many bounds in a month: none that can be shown is dropped. */
function withoutOldest(sums: readonly UsageSum[], periods: readonly Period[], at: Instant): readonly UsageSum[] {
  const since = periods.reduce((first, { start }) => earlier(first, start), calendarMonth(at).start);
  const old = sums.findIndex(({ from }) => from >= since);
  return sums.slice(Math.min(sums.length - KEPT_SUMS, old));
}

/** Whether a period that is known, or a calendar month, begins or ends after `a` and by `b`. */
function isDivided(periods: readonly Period[], a: Instant, b: Instant): boolean {
  const isBetween = (at: Instant): boolean => a < at && at <= b;
  return monthOf(a) !== monthOf(b) || periods.some(({ start, end }) => isBetween(start) || isBetween(end));
}

/** What is given back is less of the time at which it was consumed. */
function withReversed(
  sums: readonly UsageSum[],
  { consumptionRevision, amount }: AccountEventOf<'ConsumptionReversed'>,
): readonly UsageSum[] {
  const index = sums.findLastIndex(({ since }) => since <= consumptionRevision);
  const sum = sums[index];
  return sum === undefined ? sums : sums.with(index, { ...sum, consumed: sum.consumed - BigInt(amount) });
}

const isTrialOf = ({ kind, subscriptionId }: TermPeriod, id: string): boolean =>
  kind === 'trial' && subscriptionId === id;

/** A trial as it is known: its credits are those agreed, however often its end was moved. */
function withTrial(usage: Usage, event: AccountEventOf<'TrialChanged'>): Usage {
  const { subscriptionId, start, amount: credits } = event;
  const [, endedAt] = usage.ends.find(([id]) => id === subscriptionId) ?? [];
  const end = endedAt === undefined ? event.end : earlier(event.end, endedAt);
  const others = usage.periods.filter((period) => !isTrialOf(period, subscriptionId));
  return { ...usage, periods: inOrder([...others, { subscriptionId, kind: 'trial', start, end, credits }]) };
}

/** In one order, whichever was reported first. */
const inOrder = (periods: readonly TermPeriod[]): readonly TermPeriod[] =>
  periods.toSorted((a, b) => (nameOf(a) < nameOf(b) ? -1 : 1));

/** A grant for a month: more for one that is known, or a new one. */
function withCredits(usage: Usage, term: Term, amount: Amount): Usage {
  if (term.kind === 'rollover' || term.kind === 'trial') return usage;
  const { subscriptionId, start, end } = term;
  const index = indexOf(usage, term);
  const known = usage.periods[index];
  if (known === undefined) {
    const kind = term.kind === 'free' ? 'free' : 'paid';
    return { ...usage, periods: inOrder([...usage.periods, { subscriptionId, kind, start, end, credits: amount }]) };
  }
  const period = { ...known, start: earlier(known.start, start), credits: known.credits + amount };
  return { ...usage, periods: usage.periods.with(index, period) };
}

function withTaken(usage: Usage, cause: RevocationCause['kind'], term: Term | null, change: number): Usage {
  if (term === null || term.kind === 'rollover' || term.kind === 'trial' || !isLessOfPlan(cause, term)) return usage;
  const index = indexOf(usage, term);
  const known = usage.periods[index];
  if (known === undefined) return usage;
  return { ...usage, periods: usage.periods.with(index, { ...known, credits: known.credits + change }) };
}

const nameOf = ({ subscriptionId, end, kind }: TermPeriod): string => `${subscriptionId} ${end} ${kind}`;

const indexOf = ({ periods }: Usage, term: Term): number =>
  periods.findIndex(
    ({ kind, subscriptionId, end }) => kind !== 'trial' && subscriptionId === term.subscriptionId && end === term.end,
  );

/** Without what no read at `at` or later can ask for. */
const remembered = ({ periods, ends, sums }: Usage, at: Instant): Usage => ({
  periods: periods.filter(({ end }) => end >= plusMs(at, -OVERDUE_MS)),
  ends: ends.filter(([, endedAt]) => endedAt >= plusMs(at, -REMEMBERED_MS)),
  sums,
});

/**
 * The usage of the period that counts at an instant: the month of the subscription (the trial, the free plan's month) that it is in;
 * while the next is not paid the one just past; else the calendar month, UTC.
 */
export function usageAt(usage: Usage, at: Instant): PeriodUsage {
  const term = termAt(usage, at) ?? overdueAt(usage, at);
  const { start, end } = term ?? calendarMonth(at);
  const within = usage.sums.filter(({ from }) => start <= from && from < end);
  const consumed = within.reduce((sum, part) => sum + part.consumed, 0n);
  return {
    periodStart: start,
    periodEnd: end,
    consumed: consumed > MAX_AMOUNT ? MAX_AMOUNT : Number(consumed),
    limit: term?.credits ?? null,
  };
}

/** Of several the one that gives the most; of one subscription the month that began last. */
export function termAt(usage: Usage, at: Instant): TermPeriod | null {
  const newest = new Map<string, TermPeriod>();
  for (const period of usage.periods) {
    if (period.start > at || at >= period.end || period.credits === 0) continue;
    const known = newest.get(period.subscriptionId);
    if (known === undefined || known.start < period.start) newest.set(period.subscriptionId, period);
  }
  // What a free plan gives counts before the rest of a subscription that has ended.
  const rank = ({ subscriptionId, kind }: TermPeriod): number =>
    hasEnded(usage, subscriptionId, at) ? 2 : kind === 'free' ? 1 : 0;
  const ranked = [...newest.values()].sort(
    (a, b) => rank(a) - rank(b) || b.credits - a.credits || (a.subscriptionId < b.subscriptionId ? -1 : 1),
  );
  return ranked[0] ?? null;
}

/** The month just past of a subscription that goes on, as far as is known; of several the one that ended last. */
export function overdueAt(usage: Usage, at: Instant): TermPeriod | null {
  const past = usage.periods.filter(
    ({ subscriptionId, kind, end, credits }) =>
      kind !== 'free' &&
      credits > 0 &&
      end <= at &&
      at < plusMs(end, OVERDUE_MS) &&
      !hasEnded(usage, subscriptionId, at),
  );
  return past.sort((a, b) => (a.end === b.end ? b.credits - a.credits : a.end < b.end ? 1 : -1))[0] ?? null;
}

const hasEnded = ({ ends }: Usage, subscriptionId: string, at: Instant): boolean =>
  ends.some(([id, endedAt]) => id === subscriptionId && endedAt <= at);

/**
 * A usage as plain data; amounts as digits, as they may be beyond 2^53. The sums are one text, as a row of a read model has it written
 * with each of its changes: 32 small lists made catching up a fifth slower.
 */
export function encodeUsage({ periods, ends, sums }: Usage): Json {
  return {
    periods: periods.map(({ subscriptionId, kind, start, end, credits }) => [
      subscriptionId,
      kind,
      start,
      end,
      credits,
    ]),
    ends: ends.map(([id, endedAt]) => [id, endedAt]),
    sums: sums
      .map(({ from, since, consumed }) => `${from.slice(0, 19)} ${String(since)} ${String(consumed)}`)
      .join(';'),
  };
}

type Encoded = {
  readonly periods: readonly (readonly [string, TermPeriod['kind'], Instant, Instant, Amount])[];
  readonly ends: Usage['ends'];
  /** `2026-10-01T00:00:00 7 20` for each second, with `;` between them. */
  readonly sums: string;
};

/** What `encodeUsage` made plain. */
export function decodeUsage(json: Json): Usage {
  const { periods, ends, sums } = json as unknown as Encoded;
  return {
    periods: periods.map(([subscriptionId, kind, start, end, credits]) => ({
      subscriptionId,
      kind,
      start,
      end,
      credits,
    })),
    ends,
    sums: sums === '' ? [] : sums.split(';').map(sumOf),
  };
}

function sumOf(text: string): UsageSum {
  const [from = '', since, consumed = ''] = text.split(' ');
  return { from: `${from}.000Z`, since: Number(since), consumed: BigInt(consumed) };
}
