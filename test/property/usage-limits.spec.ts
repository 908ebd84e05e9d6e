import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { isRefused } from '#kernel/decider.js';
import { instantOf, msOf } from '#kernel/instant.js';
import type { Json } from '#kernel/json.js';
import { catalogDecider, emptyCatalog, type Catalog, type FeatureLimits } from '#ledger/catalog.js';
import { offerOf } from '#ledger/usage/offers.js';
import { usageDecider, type UsageCommand, type UsageEvent, type UsageRefusal } from '#ledger/usage/usage.js';
import { UsageBooks } from '#audit/usage-books.js';
import { NaiveUsage, type ModelPlan, type Shown } from './model/usage-limits.js';

const SECOND = 1_000;
const DAY = 86_400 * SECOND;
const GRACE_DAYS = 3;
const starts = [
  '2026-01-31T10:00:00.000Z',
  '2027-12-29T23:59:58.000Z',
  '2028-02-28T12:00:00.000Z',
  '2028-02-29T00:00:00.000Z',
];
const features = ['calls', 'videos', 'exports', 'unheard'] as const;

type Limited = { readonly [feature: string]: FeatureLimits };
const plans: { readonly [id: string]: Limited } = {
  free: { calls: { day: 4 } },
  basic: { calls: { day: 9, month: 40 }, videos: { period: 12 } },
  pro: { calls: { day: 15, month: 90, period: 70 }, videos: { period: 30 }, exports: {} },
};
const later: { readonly [id: string]: Limited } = { ...plans, basic: { calls: { day: 11 }, exports: { month: 3 } } };

const catalogOf = (limits: { readonly [id: string]: Limited }): Catalog => ({
  plans: Object.entries(limits).map(([id, limited]) => ({
    id,
    name: id,
    description: null,
    monthly: null,
    yearly: null,
    creditsPerMonth: 0,
    free: id === 'free',
    trialDays: null,
    features: [],
    limits: limited,
  })),
  creditProducts: [],
  creditEvents: [],
});

function catalogAfter(state: typeof emptyCatalog, limits: { readonly [id: string]: Limited }, now: number) {
  const moment = { at: instantOf(now), revision: 0, commandId: '', past: null };
  const events = catalogDecider.decide(state, { type: 'ApplyCatalog', catalog: catalogOf(limits) }, moment);
  return (isRefused(events) ? [] : events).reduce((after, event) => catalogDecider.evolve(after, event, 0), state);
}

/** A subscription as it truly is at Stripe. What happens to it is reported, at once or late. */
type Living = Shown & { readonly anchor: number };

const use = fc.record({
  do: fc.constant('use' as const),
  feature: fc.constantFrom('calls', 'calls', 'calls', 'videos', 'videos', ...features),
  quantity: fc.constantFrom(1, 1, 1, 2, 3, 7),
  age: fc.constantFrom(0, 0, 0, 0, SECOND, 3_600 * SECOND, DAY, 20 * DAY, 35 * DAY, 35 * DAY + 1, -1),
  check: fc.constantFrom(true, true, true, false),
});
const change = fc.constantFrom('plan', 'anchor', 'cancel', 'cancelLater', 'keep', 'miss', 'pay', 'pause', 'yearly');
const action = fc.oneof(
  { weight: 10, arbitrary: use },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('burst' as const), count: fc.integer({ min: 2, max: 90 }) }) },
  {
    weight: 7,
    arbitrary: fc.record({
      do: fc.constant('wait' as const),
      ms: fc.constantFrom(1, SECOND, 3_600 * SECOND, 9 * 3_600 * SECOND, DAY, 4 * DAY, 11 * DAY),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('edge' as const),
      of: fc.constantFrom('month', 'period'),
      by: fc.constantFrom(-1, 0, 1),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('subscribe' as const),
      plan: fc.constantFrom('basic', 'pro'),
      trial: fc.boolean(),
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({ do: fc.constant('change' as const), change, late: fc.constantFrom(0, 0, 2 * SECOND, DAY) }),
  },
  { weight: 1, arbitrary: fc.constant({ do: 'free' as const }) },
  { weight: 1, arbitrary: fc.constant({ do: 'catalogue' as const }) },
  { weight: 1, arbitrary: fc.constant({ do: 'restart' as const }) },
);
type Action = typeof action extends fc.Arbitrary<infer A> ? A : never;

/** Plays a life against the decider and the model, and compares every decision. */
class Play {
  readonly model = new NaiveUsage(this.#versions(plans, 0), GRACE_DAYS);
  #state = usageDecider.initial('usage-acme');
  #catalog = catalogAfter(emptyCatalog, plans, 0);
  #living: Living | null = null;
  #subscriptions = 0;
  #reports: { readonly due: number; readonly shown: Shown }[] = [];
  /** Uses since what is not reported yet: the newest 64 seconds are known each, and older ones are joined. */
  #usesUnreported = 0;
  #lastSeen = 0;
  #revision = 0;
  readonly #books = new UsageBooks();

  constructor(private now: number) {}

  run(one: Action): void {
    switch (one.do) {
      case 'use':
        return this.#use(one.feature, one.quantity, this.now - one.age, one.check);
      case 'burst':
        for (let left = one.count; left > 0; left -= 1) {
          this.#wait(SECOND);
          this.#use('videos', 1, this.now, left % 2 === 0);
        }
        return;
      case 'wait':
        return this.#wait(one.ms);
      case 'edge':
        return this.#wait(Math.max(0, this.#edge(one.of) + one.by - this.now));
      case 'subscribe':
        return this.#subscribe(one.plan, one.trial);
      case 'change':
        return this.#change(one.change, one.late);
      case 'free':
        this.#wait(SECOND);
        this.#execute({ type: 'EnterFreePlan', planId: 'free' });
        this.model.enterFree('free', this.now);
        return;
      case 'catalogue':
        this.#wait(SECOND);
        this.#catalog = catalogAfter(this.#catalog, later, this.now);
        if (this.model.plans.length < 4)
          (this.model.plans as ModelPlan[]).push(...this.#versions({ basic: later['basic']! }, this.now));
        return;
      case 'restart': {
        const kept = JSON.parse(JSON.stringify(usageDecider.snapshot!.encode(this.#state))) as Json;
        this.#state = usageDecider.snapshot!.decode(kept, 'usage-acme');
      }
    }
  }

  #versions(limits: { readonly [id: string]: Limited }, from: number): ModelPlan[] {
    return Object.entries(limits).map(([id, limited]) => ({ id, from, features: limited }));
  }

  #edge(of: string): number {
    const { year, month } = { year: new Date(this.now).getUTCFullYear(), month: new Date(this.now).getUTCMonth() };
    return of === 'month' || this.#living === null ? Date.UTC(year, month + 1, 1) : this.#living.end;
  }

  #wait(ms: number): void {
    const until = this.now + ms;
    for (;;) {
      const living = this.#living;
      const next = Math.min(living?.end ?? Infinity, ...this.#reports.map(({ due }) => due));
      if (next > until) break;
      this.now = Math.max(this.now, next);
      if (living !== null && living.end <= this.now) this.#turn(living);
      this.#deliver((due) => due <= this.now);
    }
    this.now = until;
  }

  #deliver(isDue: (due: number) => boolean): void {
    const due = this.#reports.filter((report) => isDue(report.due));
    this.#reports = this.#reports.filter((report) => !isDue(report.due));
    if (this.#reports.length === 0) this.#usesUnreported = 0;
    for (const { shown } of due) {
      this.model.see(shown);
      this.#execute({ type: 'ObservePlan', snapshot: snapshotOf(shown) });
      if (shown.seen % 2 === 0) this.#execute({ type: 'ObservePlan', snapshot: snapshotOf(shown) });
    }
  }

  #report(living: Living, late = 0): void {
    const { anchor: _anchor, ...shown } = living;
    this.#lastSeen = living.seen;
    this.#living = living.endedAt === null ? living : null;
    this.#reports.push({ due: this.now + late, shown });
    this.#deliver((due) => due <= this.now);
  }

  /** Whole seconds, as Stripe counts, and never two of one second. */
  #second(): number {
    this.#wait(SECOND - (this.now % SECOND));
    while (this.now <= this.#lastSeen) this.#wait(SECOND);
    return this.now;
  }

  /** The next period, or the end that was asked for. */
  #turn(living: Living): void {
    const seen = living.end + 2 * SECOND;
    if (living.cancelAt === living.end)
      this.#report(
        { ...living, status: 'canceled', endedAt: living.end, seen },
        this.#subscriptions % 3 === 0 ? DAY : 0,
      );
    else {
      const status = living.status === 'trialing' ? 'active' : living.status;
      const end = monthsLater(living.end, living.yearly ? 12 : 1, living.anchor);
      this.#report(
        { ...living, status, start: living.end, end, seen },
        this.#subscriptions % 2 === 0 ? DAY : 5 * SECOND,
      );
    }
  }

  #subscribe(plan: string, trial: boolean): void {
    if (this.#living !== null) return;
    const seen = this.#second();
    const end = trial ? seen + 14 * DAY : monthsLater(seen, 1, new Date(seen).getUTCDate());
    this.#subscriptions += 1;
    const subscription = `sub_${String(this.#subscriptions)}`;
    const anchor = new Date(trial ? end : seen).getUTCDate();
    const status = trial ? 'trialing' : 'active';
    const from = { start: seen, end, anchor, seen, yearly: false, cancelAt: null, endedAt: null } as const;
    this.#report({ subscription, plan, status, ...from });
  }

  #change(what: string, late: number): void {
    if (this.#living === null) return;
    const seen = this.#second();
    const living = this.#living as Living | null;
    if (living === null) return;
    const day = new Date(seen).getUTCDate();
    const changes: { readonly [what: string]: Partial<Living> } = {
      plan: { plan: living.plan === 'pro' ? 'basic' : 'pro' },
      anchor: {
        start: seen,
        end: monthsLater(seen, living.yearly ? 12 : 1, day),
        anchor: day,
        status: 'active',
        cancelAt: null,
      },
      cancel: { status: 'canceled', endedAt: seen },
      cancelLater: { cancelAt: living.end },
      keep: { cancelAt: null },
      miss: { status: 'past_due' },
      pay: { status: 'active' },
      pause: { status: 'paused' },
      yearly: {
        yearly: true,
        start: seen,
        end: monthsLater(seen, 12, day),
        anchor: day,
        status: 'active',
        cancelAt: null,
      },
    };
    this.#report({ ...living, ...changes[what], seen }, late);
  }

  #use(feature: string, quantity: number, at: number, limitCheck: boolean): void {
    this.#usesUnreported += 1;
    if (this.#usesUnreported > 50) this.#deliver(() => true);
    const verdict = this.model.use(feature, quantity, at, this.now, limitCheck);
    const decision = this.#execute({
      type: 'RecordUsage',
      feature,
      quantity,
      usedAt: instantOf(at),
      limitCheck,
      offer: offerOf(this.#catalog, feature),
      graceDays: GRACE_DAYS,
      description: null,
      metadata: {},
    });
    expect(shownOf(decision)).toEqual(expectedOf(verdict, quantity));
  }

  #execute(command: UsageCommand): readonly UsageEvent[] | UsageRefusal {
    const moment = { at: instantOf(this.now), revision: this.#revision, commandId: '0'.repeat(36), past: null };
    const decision = usageDecider.decide(this.#state, command, moment);
    if (isRefused<UsageEvent, UsageRefusal>(decision)) return decision;
    let fork = usageDecider.fork(this.#state);
    for (const event of decision) {
      expect(this.#books.enter(event)).toBeNull();
      fork = usageDecider.evolve(fork, event, this.#revision);
      this.#revision += 1;
    }
    this.#state = usageDecider.merge(fork);
    return decision;
  }
}

const monthsLater = (time: number, months: number, day: number): number => {
  const date = new Date(time);
  const last = new Date(Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + months + 1, 0)).getUTCDate();
  return Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + months, Math.min(day, last)) + (time % DAY);
};

const timeOf = (ms: number | null) => (ms === null ? null : instantOf(ms));

const snapshotOf = (shown: Shown) => ({
  subscriptionId: shown.subscription,
  customerId: 'acme',
  status: shown.status,
  planId: shown.plan,
  interval: shown.yearly ? ('year' as const) : ('month' as const),
  quantity: 1,
  itemId: 'si_1',
  periodStart: instantOf(shown.start),
  periodEnd: instantOf(shown.end),
  trialStart: null,
  trialEnd: null,
  cancelAt: timeOf(shown.cancelAt),
  canceledAt: timeOf(shown.endedAt),
  endedAt: timeOf(shown.endedAt),
  paused: false,
  seenAt: instantOf(shown.seen),
  stage: 1 as const,
});

function shownOf(decision: readonly UsageEvent[] | UsageRefusal): object {
  if (isRefused<UsageEvent, UsageRefusal>(decision)) {
    if (decision.rejected !== 'usage_limit_exceeded') return { refused: decision.rejected };
    const { limit, used, window, windowEnd } = decision;
    return { refused: decision.rejected, limit, used, window, until: msOf(windowEnd) };
  }
  const [event] = decision;
  if (event?.type !== 'UsageRecorded') throw new Error('nothing was recorded');
  const limits = event.limits.map(({ window, limit, used, windowStart, windowEnd }) => ({
    window,
    limit,
    used,
    from: msOf(windowStart),
    until: msOf(windowEnd),
  }));
  return { plan: event.planId, limits };
}

function expectedOf(verdict: ReturnType<NaiveUsage['use']>, quantity: number): object {
  if (verdict.kind === 'recorded') return { plan: verdict.plan, limits: verdict.limits };
  if (verdict.kind !== 'over') return { refused: verdict.kind };
  const broken = verdict.limits.filter(({ limit, used }) => used + quantity > limit);
  const { from: _from, ...longest } = broken.sort((a, b) => b.until - a.until)[0]!;
  return { refused: 'usage_limit_exceeded', ...longest };
}

test('every use is decided as a model decides it that keeps all and adds all up', () => {
  fc.assert(
    fc.property(fc.constantFrom(...starts), fc.array(action, { minLength: 20, maxLength: 150 }), (start, actions) => {
      const play = new Play(msOf(start));
      for (const one of actions) play.run(one);
    }),
    { numRuns: 150 * Number(process.env['PROPERTY_FACTOR'] ?? 1) },
  );
});
