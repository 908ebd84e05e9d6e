import { describe, expect, test } from '@jest/globals';
import { isRefused } from '#kernel/decider.js';
import { instantOf, msOf, type Instant } from '#kernel/instant.js';
import { catalogState } from '../../../test/support/ledger/catalog.js';
import type { Catalog } from '../catalog.js';
import type { SubscriptionSnapshot } from '../subscription/standing.js';
import { DETAILED_SECONDS } from './counts.js';
import { offerOf } from './offers.js';
import { usageDecider, type UsageCommand, type UsageEvent, type UsageRefusal } from './usage.js';

const DAY = 86_400_000;
const plan = (id: string, limits: Catalog['plans'][number]['limits'], features: readonly string[] = []) => ({
  ...{ id, name: id, description: null, monthly: null, yearly: null, creditsPerMonth: 0, trialDays: null },
  ...{ free: id === 'free', features, limits },
});
const catalog = catalogState({
  plans: [
    plan('free', { calls: { day: 3 } }),
    plan('basic', { calls: { day: 10, period: 20 } }, ['export']),
    plan('pro', { calls: { day: 200, period: 200 }, videos: {} }),
  ],
  creditProducts: [],
  creditEvents: [],
});

const shown = (planId: string, seenAt: Instant, more: Partial<SubscriptionSnapshot> = {}): UsageCommand => ({
  type: 'ObservePlan',
  snapshot: {
    ...{ subscriptionId: 'sub_1', customerId: 'acme', status: 'active', planId, interval: 'month', quantity: 1 },
    ...{ itemId: 'si_1', periodStart: '2026-10-01T10:00:00.000Z', periodEnd: '2026-11-01T10:00:00.000Z' },
    ...{ trialStart: null, trialEnd: null, cancelAt: null, canceledAt: null, endedAt: null, paused: false },
    ...{ seenAt, stage: 1, ...more },
  } as SubscriptionSnapshot,
});
const free: UsageCommand = { type: 'EnterFreePlan', planId: 'free' };
const use = (quantity = 1, more: Partial<Extract<UsageCommand, { type: 'RecordUsage' }>> = {}): UsageCommand => ({
  ...{ type: 'RecordUsage', feature: 'calls', quantity, usedAt: null, limitCheck: true, graceDays: 3 },
  ...{ offer: offerOf(catalog, more.feature ?? 'calls'), description: null, metadata: {}, ...more },
});

class Usage {
  state = usageDecider.initial('usage-acme');
  revision = 0;

  /** `now`: as an instant. */
  run(now: Instant, command: UsageCommand): readonly UsageEvent[] | UsageRefusal {
    const moment = { at: now, revision: this.revision, commandId: '0'.repeat(36), past: null };
    const decision = usageDecider.decide(this.state, command, moment);
    if (isRefused<UsageEvent, UsageRefusal>(decision)) return decision;
    for (const event of decision) this.state = usageDecider.evolve(this.state, event, this.revision++);
    return decision;
  }

  /** The plan, and each window with what was used of its limit; or the code of the refusal. */
  said(now: Instant, command: UsageCommand): string {
    const decision = this.run(now, command);
    if (isRefused<UsageEvent, UsageRefusal>(decision))
      return decision.rejected === 'usage_limit_exceeded' ? `over the ${decision.window}` : decision.rejected;
    return decision
      .map((event) =>
        event.type === 'UsageRecorded'
          ? [
              event.planId,
              ...event.limits.map(({ window, used, limit }) => `${window} ${String(used)}/${String(limit)}`),
            ]
          : [event.type],
      )
      .flat()
      .join(', ');
  }
}

const noon = '2026-10-05T12:00:00.000Z';

describe('the use of a feature', () => {
  test('is taken up to the limit of each window and not beyond, and a refusal names the window', () => {
    const usage = new Usage();
    usage.run('2026-10-01T10:00:00.000Z', shown('basic', '2026-10-01T10:00:00.000Z'));
    expect(usage.said(noon, use(9))).toBe('basic, day 9/10, period 9/20');
    expect(usage.run(noon, use(2))).toEqual({
      ...{ rejected: 'usage_limit_exceeded', feature: 'calls', limit: 10, used: 9, requested: 2, window: 'day' },
      windowEnd: '2026-10-06T00:00:00.000Z',
    });
    expect(usage.said(noon, use(1))).toBe('basic, day 10/10, period 10/20');
    expect(usage.said('2026-10-06T00:00:00.000Z', use(10))).toBe('basic, day 10/10, period 20/20');
    expect(usage.said('2026-10-07T00:00:00.000Z', use())).toBe('over the period');
    expect(usage.said('2026-11-01T09:59:59.999Z', use())).toBe('over the period');
    expect(usage.said('2026-11-01T10:00:00.000Z', use())).toBe('basic, day 1/10, period 1/20');
  });

  test('names the limit that lasts longest of several that it would break', () => {
    const usage = new Usage();
    usage.run('2026-10-01T10:00:00.000Z', shown('basic', '2026-10-01T10:00:00.000Z'));
    expect(usage.said(noon, use(21))).toBe('over the period');
  });

  test('counts beyond a limit where it is not checked, and is refused then where it is', () => {
    const usage = new Usage();
    usage.run(noon, free);
    expect(usage.said(noon, use(7, { limitCheck: false }))).toBe('free, day 7/3');
    expect(usage.said(noon, use())).toBe('over the day');
  });

  test('needs a plan that has the feature', () => {
    const usage = new Usage();
    expect(usage.said(noon, use())).toBe('feature_not_in_plan');
    expect(usage.said(noon, use(1, { feature: 'nonsense' }))).toBe('feature_unknown');
    usage.run(noon, free);
    expect(usage.said(noon, use(1, { feature: 'export' }))).toBe('feature_not_in_plan');
    expect(usage.said(noon, use(1, { feature: 'export', limitCheck: false }))).toBe('feature_not_in_plan');
    usage.run(noon, shown('basic', '2026-10-01T10:00:00.000Z'));
    expect(usage.said(noon, use(4, { feature: 'export' }))).toBe('basic');
  });

  test('may be recorded up to 35 days later, in the window and by the plan of its own time', () => {
    const usage = new Usage();
    usage.run('2026-09-20T00:00:00.000Z', free);
    usage.run('2026-10-01T10:00:00.000Z', shown('basic', '2026-10-01T10:00:00.000Z'));
    const now = '2026-11-05T10:00:00.000Z';
    expect(usage.said(now, use(4, { usedAt: '2026-10-01T10:00:00.000Z' }))).toBe('basic, day 4/10, period 4/20');
    expect(usage.said(now, use(1, { usedAt: '2026-10-01T09:59:59.999Z' }))).toBe('usage_time_out_of_range');
    expect(usage.said('2026-11-05T09:59:59.999Z', use(1, { usedAt: '2026-10-01T09:59:59.999Z' }))).toBe('over the day');
    expect(usage.said(now, use(1, { usedAt: '2026-11-05T10:00:00.001Z' }))).toBe('usage_time_out_of_range');
  });

  test('is never more than can be counted', () => {
    const usage = new Usage();
    usage.run(noon, shown('pro', '2026-10-01T10:00:00.000Z'));
    expect(usage.said(noon, use(Number.MAX_SAFE_INTEGER, { feature: 'videos' }))).toBe('pro');
    expect(usage.said(noon, use(1, { feature: 'videos' }))).toBe('usage_out_of_range');
  });
});

describe('the plan that counts', () => {
  test('changes with the second of the change, whatever is recorded later', () => {
    const usage = new Usage();
    usage.run(noon, shown('basic', '2026-10-01T10:00:00.000Z'));
    usage.run(noon, shown('pro', '2026-10-05T11:00:00.000Z'));
    expect(usage.said(noon, use(8, { usedAt: '2026-10-05T10:59:59.999Z' }))).toBe('basic, day 8/10, period 8/20');
    expect(usage.said(noon, use(8, { usedAt: '2026-10-05T11:00:00.000Z' }))).toBe('pro, day 16/200, period 16/200');
    expect(usage.said(noon, use(1, { usedAt: '2026-10-05T10:59:59.999Z' }))).toBe('over the day');
  });

  test('is the free one after the days of grace, while payment is paused, and after the end', () => {
    const usage = new Usage();
    usage.run(noon, shown('pro', '2026-10-01T10:00:00.000Z'));
    usage.run(noon, shown('pro', '2026-10-02T00:00:00.000Z', { status: 'past_due' }));
    expect(usage.said(noon, use(1, { usedAt: '2026-10-04T23:59:59.999Z' }))).toBe('pro, day 1/200, period 1/200');
    expect(usage.said(noon, use())).toBe('free, day 1/3');
    usage.run(noon, shown('pro', '2026-10-05T11:00:00.000Z'));
    expect(usage.said(noon, use())).toBe('pro, day 2/200, period 3/200');
    const ends = '2026-10-06T00:00:00.000Z';
    usage.run(noon, shown('pro', '2026-10-05T11:30:00.000Z', { cancelAt: ends }));
    expect(usage.said('2026-10-06T00:00:00.000Z', use())).toBe('free, day 1/3');
  });

  test('is not that of a subscription that turned out to be of another customer', () => {
    const usage = new Usage();
    usage.run(noon, shown('pro', '2026-10-01T10:00:00.000Z'));
    usage.run(noon, shown('pro', '2026-10-05T11:00:00.000Z', { customerId: 'other' }));
    expect(usage.said(noon, use())).toBe('feature_not_in_plan');
    expect(usage.said(noon, use(1, { usedAt: '2026-10-05T10:59:59.999Z' }))).toBe('pro, day 1/200, period 1/200');
  });

  test('is told by the same facts in any order, and each of them once', () => {
    const facts = [
      shown('basic', '2026-10-01T10:00:00.000Z', { stage: 0 }),
      shown('pro', '2026-10-03T10:00:00.000Z'),
      shown('basic', '2026-10-04T10:00:00.000Z', { status: 'past_due' }),
    ];
    for (const order of [facts, facts.toReversed(), [facts[1]!, facts[0]!, facts[2]!]]) {
      const usage = new Usage();
      for (const fact of [...order, ...order]) usage.run(noon, fact);
      expect(usage.revision).toBe(3);
      expect(usage.said(noon, use(1, { usedAt: '2026-10-03T10:00:00.000Z' }))).toBe('pro, day 1/200, period 1/200');
      expect(usage.said(noon, use(1, { usedAt: '2026-10-04T10:00:00.000Z' }))).toBe('basic, day 1/10, period 2/20');
    }
  });
});

describe('what is kept', () => {
  test('splits at a period that is reported late as far as the newest seconds reach, and counts what was joined before it', () => {
    const splitAfter = (seconds: number): string => {
      const usage = new Usage();
      usage.run('2026-10-01T10:00:00.000Z', shown('pro', '2026-10-01T10:00:00.000Z'));
      const turn = msOf('2026-10-05T11:00:00.000Z');
      for (let second = -3; second < seconds; second += 1) usage.run(instantOf(turn + second * 1000), use());
      const now = instantOf(turn + seconds * 1000);
      const [periodStart, periodEnd] = [instantOf(turn), '2026-11-05T11:00:00.000Z'];
      usage.run(now, shown('pro', periodStart, { periodStart, periodEnd }));
      return usage.said(now, use(0));
    };
    expect(splitAfter(20)).toBe('pro, day 23/200, period 20/200');
    // The first of 65 seconds after the turn is joined with the three before it.
    expect(splitAfter(DETAILED_SECONDS + 1)).toBe('pro, day 68/200, period 64/200');
  });

  test('stays small and goes on from a snapshot as without, however much was used for how long', () => {
    const usage = new Usage();
    const begin = msOf('2026-01-01T00:00:00.000Z');
    const year = { periodStart: '2026-01-01T00:00:00.000Z', periodEnd: '2027-01-01T00:00:00.000Z' };
    usage.run(instantOf(begin), shown('pro', '2026-01-01T00:00:00.000Z', { ...year, interval: 'year' }));
    let largest = 0;
    for (let at = begin; at < begin + 400 * DAY; at += 1_801_000) {
      const back = at % 7 === 0 ? 20 * DAY : 0;
      usage.run(instantOf(at), use(1, { limitCheck: false, feature: 'videos', usedAt: instantOf(at - back) }));
      if (at % 97 !== 0) continue;
      const kept = JSON.stringify(usageDecider.snapshot!.encode(usage.state));
      largest = Math.max(largest, kept.length);
      expect(usageDecider.snapshot!.encode(usageDecider.snapshot!.decode(JSON.parse(kept), 'usage-acme'))).toEqual(
        JSON.parse(kept),
      );
    }
    expect(usage.revision).toBeGreaterThan(19_000);
    expect(largest).toBeLessThan(6_000);
  });
});
