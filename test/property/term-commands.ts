import fc from 'fast-check';
import type { Instant } from '#kernel/instant.js';
import type { AccountCommand } from '#ledger/account/commands.js';
import type { AgreedPlan, ChangedPart } from '#ledger/account/events.js';
import { monthsLater, secondsOf, textOf } from '../lives/books/calendar.js';
import { spending, type Step } from './ledger/commands.js';
import type { Books } from './model/books.js';

const DAY = 86_400;
const text = (seconds: number): Instant => textOf(seconds) as Instant;

const period = fc
  .record({
    credits: fc.integer({ min: 1, max: 60 }),
    startsIn: fc.constantFrom(-40, -10, 0, 0, 5),
    months: fc.constantFrom(1, 1, 1, 3, 12),
    lessDays: fc.constantFrom(0, 0, 0, 10),
    subscription: fc.constantFrom('sub_1', 'sub_1', 'sub_2'),
  })
  .map(({ credits, startsIn, months, lessDays, subscription }) => (books: Books, at: string): AccountCommand => {
    // No two periods of one subscription begin at one time: the rules do not tell such apart.
    const starts = books.grants.flatMap(({ term }) => (term?.subscription === subscription ? [term.periodStart] : []));
    let start = secondsOf(at) + startsIn * DAY;
    while (starts.includes(start)) start += DAY;
    return {
      type: 'GrantPeriod',
      subscriptionId: subscription,
      itemId: 'si_1',
      periodStart: text(start),
      periodEnd: text(monthsLater(start, months) - lessDays * DAY),
      interval: months > 1 ? 'year' : 'month',
      creditsPerMonth: credits,
      // A plan for each number of credits: so what was agreed of it is known by its name.
      plan: { id: `plan_${String(credits)}`, credits, quantity: 1 },
      prorated: lessDays > 0,
      cost: null,
      rolloverCap: 0,
      lines: [],
      paymentReference: `in_${String(books.grants.length)}`,
      metadata: {},
    };
  });

/** Seats of the period's plan, of which the catalogue says something else since, or of another one. */
const seats = fc.record({
  quantity: fc.constantFrom(1, 1, 1, 2, 3),
  isOwn: fc.boolean(),
  now: fc.integer({ min: 1, max: 60 }),
  other: fc.constantFrom(4, 15, 45),
});
type Seats = typeof seats extends fc.Arbitrary<infer Value> ? Value : never;

type Change = {
  readonly since: number;
  readonly credits: number;
  readonly grants: boolean;
  readonly takesBack: boolean;
};

/** A change within a year that ends on a day of January, and of which nothing is known to be paid. */
function changeOfUnpaid(day: number, { since, credits, ...policy }: Change, books: Books, at: string): AccountCommand {
  const changeId = `ch_${String(Object.values(books.changes).flat().length)}`;
  const end = Date.UTC(Number(at.slice(0, 4)) + 1, 0, day) / 1000;
  const parts = [{ since: text(secondsOf(at) + since * DAY), credits }];
  return {
    type: 'ChangePeriod',
    subscriptionId: 'sub_1',
    changeId,
    periods: [{ end: text(end), interval: 'year', parts, cost: null, lines: [], ...policy }],
    paymentReference: changeId,
    metadata: {},
  };
}

/** A change within one of the periods that are known. */
const change = fc
  .record({
    of: fc.nat(30),
    since: fc.constantFrom(-5, -1, 0, 0, 0),
    credits: fc.integer({ min: -40, max: 40 }).filter((credits) => credits !== 0),
    /** Within a year that no known payment bought and that ends on this day of January; null: within one of the periods. */
    unpaidUntil: fc.constantFrom(null, null, null, 15, 31),
    /** What is given back and charged; undefined where no plans are known. */
    plans: fc.option(fc.tuple(seats, seats), { nil: undefined }),
    grants: fc.boolean(),
    takesBack: fc.boolean(),
  })
  .map(
    ({ of, since, credits, unpaidUntil, plans, grants, takesBack }) =>
      (books: Books, at: string): AccountCommand => {
        const terms = books.grants.flatMap(({ term }) => (term?.kind === 'period' ? [term] : []));
        const term = terms[of % Math.max(1, terms.length)];
        if (unpaidUntil !== null) return changeOfUnpaid(unpaidUntil, { since, credits, grants, takesBack }, books, at);
        if (term === undefined) return { type: 'RecordDue' };
        const months = terms.filter(
          (one) => one.periodStart === term.periodStart && one.subscription === term.subscription,
        );
        const end = Math.max(...months.map((one) => one.end));
        const from = Math.min(end - DAY, Math.max(term.periodStart, secondsOf(at) + since * DAY));
        const known = Object.values(books.changes).flat().length;
        const part = { since: text(from), credits };
        const parts = [plans === undefined || term.plan === undefined ? part : ofPlans(part, term.plan, plans)];
        const interval = months.length > 1 ? ('year' as const) : ('month' as const);
        return {
          type: 'ChangePeriod',
          subscriptionId: term.subscription,
          changeId: `ch_${String(known)}`,
          periods: [{ end: text(end), interval, parts, cost: null, lines: [], grants, takesBack }],
          paymentReference: `ch_${String(known)}`,
          metadata: {},
        };
      },
  );

const trial = fc
  .record({
    of: fc.constantFrom('sub_1', 'sub_2'),
    amount: fc.integer({ min: 1, max: 40 }),
    ago: fc.constantFrom(0, 0, 3, 20),
    lasts: fc.constantFrom(1, 7, 14),
  })
  .map(({ of, amount, ago, lasts }) => (books: Books, at: string): AccountCommand => {
    const start = secondsOf(at) - ago * DAY;
    const time = { start: text(start), end: text(start + lasts * DAY), version: books.revision + 1 };
    return { type: 'AgreeTrial', subscriptionId: of, itemId: 'si_1', amount, ...time, metadata: {} };
  });

/** Its trial ends sooner or later than was known; or another one began since. */
const moved = fc
  .record({
    of: fc.constantFrom('sub_1', 'sub_2'),
    endsIn: fc.constantFrom(-3, 0, 1, 5, 10, 30),
    later: fc.constantFrom(false, false, false, true),
  })
  .map(({ of, endsIn, later }) => (books: Books, at: string): AccountCommand => {
    const end = text(secondsOf(at) + endsIn * DAY);
    const start = later ? text(secondsOf(at) - DAY) : (books.trials[of]?.start ?? at);
    return { type: 'MoveTrial', subscriptionId: of, start, end, version: books.revision + 1 };
  });

const hold = fc
  .record({ amount: fc.integer({ min: 1, max: 30 }), days: fc.constantFrom(1, 5, 20) })
  .map(({ amount, days }) => (): AccountCommand => {
    const nothing = { resource: null, description: null, metadata: {} };
    return { type: 'HoldCredits', amount, expiresInSeconds: days * DAY, ...nothing };
  });

function ofPlans(part: ChangedPart, own: AgreedPlan, [old, next]: readonly [Seats, Seats]): ChangedPart {
  const planOf = ({ isOwn, other }: Seats): AgreedPlan =>
    isOwn ? own : { id: `other_${String(other)}`, credits: other };
  const givenBack = { ...planOf(old), ...(old.isOwn ? { credits: old.now } : {}), quantity: -old.quantity };
  const plans = [givenBack, { ...planOf(next), quantity: next.quantity }];
  return { ...part, credits: plans.reduce((sum, { credits, quantity }) => sum + credits * quantity, 0), plans };
}

const end = fc
  .record({ of: fc.constantFrom('sub_1', 'sub_2'), ago: fc.constantFrom(0, 0, 3, 40) })
  .map(({ of, ago }) => (_books: Books, at: string): AccountCommand => ({
    type: 'EndSubscription',
    subscriptionId: of,
    endedAt: text(secondsOf(at) - ago * DAY),
  }));

/** The free plan's present month and the next, granted, withdrawn or with another amount. */
const free = fc
  .record({ now: fc.constantFrom(null, 7), next: fc.constantFrom(null, 7, 9) })
  .map(({ now, next }) => (_books: Books, at: string): AccountCommand => {
    const begin = Date.UTC(Number(at.slice(0, 4)), Number(at.slice(5, 7)) - 1, 1) / 1000;
    const months = [now, next].map((amount, index) => ({
      start: text(monthsLater(begin, index)),
      end: text(monthsLater(begin, index + 1)),
      amount,
    }));
    return { type: 'KeepFreeMonths', subscriptionId: 'free_acme', planId: 'free', months };
  });

const claim = fc
  .record({ of: fc.nat(30), amount: fc.integer({ min: 0, max: 100 }), taken: fc.boolean() })
  .map(({ of, amount, taken }) => (books: Books, at: string): AccountCommand => {
    const references = [...new Set(books.grants.flatMap(({ paymentReference }) => paymentReference ?? []))];
    const paymentReference = references[of % Math.max(1, references.length)];
    if (paymentReference === undefined) return { type: 'RecordDue' };
    const cause = { kind: 'refund' as const, id: 're_1' };
    const since = at as Instant;
    const state = taken ? ('taken' as const) : ('reserved' as const);
    return {
      type: 'SettlePayment',
      paymentReference,
      version: (books.payments[paymentReference]?.version ?? 0) + 1,
      paid: 100,
      claims: amount === 0 ? [] : [{ cause, state, amount, since }],
    };
  });

const consume = fc.integer({ min: 1, max: 40 }).map((amount) => (): AccountCommand => {
  const nothing = { usage: null, resource: null, description: null, metadata: {} };
  return { type: 'ConsumeCredits', amount, ...nothing };
});

const command: fc.Arbitrary<Step['draft']> = fc.oneof(
  { weight: 5, arbitrary: period },
  { weight: 5, arbitrary: change },
  { weight: 2, arbitrary: end },
  { weight: 3, arbitrary: trial },
  { weight: 4, arbitrary: moved },
  { weight: 1, arbitrary: hold },
  { weight: 2, arbitrary: free },
  { weight: 3, arbitrary: claim },
  { weight: 5, arbitrary: consume },
  { weight: 2, arbitrary: fc.constant((): AccountCommand => ({ type: 'RecordDue' })) },
  { weight: 10, arbitrary: spending },
);

/** Lives of subscriptions: whole days between the commands. */
export const stepsOfTerms = (maxLength: number): fc.Arbitrary<Step[]> =>
  fc.array(fc.record({ wait: fc.constantFrom(0, 0, 1, 5, 20, 31).map((days) => days * DAY * 1000), draft: command }), {
    minLength: 1,
    maxLength,
    size: 'max',
  });
