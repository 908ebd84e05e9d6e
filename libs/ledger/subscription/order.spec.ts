import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { DecidedStream } from '../../../test/support/ledger/decided-stream.js';
import { permutations } from '../../../test/support/permutations.js';
import type { SubscriptionStep } from './order.js';
import type { SubscriptionSnapshot } from './standing.js';
import { subscriptionDecider, type SubscriptionCommand } from './subscription.js';

type Observe = Extract<SubscriptionCommand, { type: 'ObserveSubscription' }>;
type Terms = SubscriptionStep['before'];

const later = '2026-10-02T00:00:00.000Z';
const [early, end] = ['2026-10-20T00:00:00.000Z', '2026-11-01T00:00:00.000Z'];

const shown = (terms: Terms, stage: SubscriptionSnapshot['stage'], seenAt = later): SubscriptionSnapshot => ({
  subscriptionId: 'sub_1',
  customerId: 'acme',
  status: 'active',
  planId: 'starter',
  interval: 'month',
  quantity: 1,
  itemId: 'si_1',
  periodStart: '2026-10-01T00:00:00.000Z',
  periodEnd: end,
  trialStart: null,
  trialEnd: null,
  cancelAt: null,
  canceledAt: null,
  endedAt: null,
  paused: false,
  ...terms,
  seenAt,
  stage,
});

const created: Observe = { type: 'ObserveSubscription', snapshot: shown({}, 0, '2026-10-01T00:00:00.000Z') };
const reported = (terms: Terms, stage: 1 | 2 = 1): Observe => ({
  type: 'ObserveSubscription',
  snapshot: shown(terms, stage),
});
const changed = (before: Terms, terms: Terms, request: string | null = null): Observe => ({
  ...reported(terms),
  step: { before, request },
});

/** The subscription after the commands, and which events each of them made. */
function after(commands: readonly Observe[]) {
  const subscription = new DecidedStream(subscriptionDecider, later);
  const outcomes = commands.map((command) => subscription.run(command));
  const { seenAt: _seenAt, stage: _stage, pastDueSince, ...standing } = subscription.state.standing!;
  return { standing, pastDueSince, outcomes };
}

function inAnyOrder(facts: readonly Observe[], terms: Terms): void {
  const { standing } = after([reported(terms)]);
  for (const order of permutations(facts)) expect(after([...order, ...order.slice(0, 2)]).standing).toEqual(standing);
}

const schedule = changed({ cancelAt: null }, { cancelAt: end });
const undo = changed({ cancelAt: end }, {});

describe('changes of one second', () => {
  test('end in what the last of them made, whatever order they come in', () => {
    inAnyOrder([created, schedule, undo], {});
    const upgrade = changed({ planId: 'starter' }, { planId: 'pro' });
    const cancel = changed({ cancelAt: null }, { planId: 'pro', cancelAt: end });
    inAnyOrder([created, upgrade, cancel], { planId: 'pro', cancelAt: end });
    inAnyOrder([upgrade, cancel], { planId: 'pro', cancelAt: end });
    const sooner = changed({ cancelAt: end }, { planId: 'pro', cancelAt: early });
    inAnyOrder([created, upgrade, cancel, sooner], { planId: 'pro', cancelAt: early });
  });

  test('are undone and made again where they come of calls of their own', () => {
    const again = { ...schedule, step: { before: { cancelAt: null }, request: 'req_3' } };
    inAnyOrder([created, schedule, undo, again], { cancelAt: end });
    inAnyOrder([created, schedule, undo, schedule], {}); // the same fact, reported twice
  });

  test('are told with a pause, its end, and what comes after that', () => {
    const pause = changed({ paused: false }, { paused: true });
    const resume = changed({ paused: true }, {});
    const cancel = changed({ cancelAt: null }, { cancelAt: end });
    inAnyOrder([created, pause, reported({ paused: true }, 2), resume, reported({}, 2)], {});
    inAnyOrder([created, pause, reported({ paused: true }, 2), resume, cancel], { cancelAt: end });
  });

  test('begin with the creation where that is of the same second', () => {
    inAnyOrder([{ ...created, snapshot: shown({}, 0) }, schedule, undo], {});
  });

  test('are followed also where what was before is not told of whole', () => {
    const at = '2026-10-02T00:00:00.000Z';
    const partly = changed({ cancelAt: null }, { cancelAt: end, canceledAt: at });
    inAnyOrder([created, partly, undo], {});
  });

  test('of which one is not told end in the last that is', () => {
    const upgrade = changed({ planId: 'starter' }, { planId: 'pro', quantity: 3 });
    inAnyOrder([created, schedule, upgrade], { planId: 'pro', quantity: 3 });
  });

  test('that do not say what was before are ordered by what they show', () => {
    inAnyOrder([created, reported({ cancelAt: end }), reported({})], {});
    inAnyOrder([reported({ status: 'past_due' }), reported({ status: 'active' })], { status: 'past_due' });
    inAnyOrder([schedule, undo], {}); // a circle: where it begins is not known
  });

  test('an end is the last of all, whatever comes of the same second', () => {
    const ended = reported({ status: 'canceled', endedAt: later }, 2);
    inAnyOrder([created, schedule, undo, ended], { status: 'canceled', endedAt: later });
  });
});

test('what comes late may tell that another than it was the last', () => {
  const creation = { ...created, snapshot: shown({ cancelAt: end }, 0, '2026-10-01T00:00:00.000Z') };
  expect(after([schedule, undo]).standing.cancelAt).toBeNull();
  const { outcomes, standing } = after([schedule, undo, creation]);
  expect(standing.cancelAt).toBe(end);
  expect(outcomes.at(-1)).toBe('CancellationScheduled');
});

test('since when a payment is missing does not depend on the order either', () => {
  const due = changed({ status: 'active' }, { status: 'past_due' });
  const paid = changed({ status: 'past_due' }, {});
  for (const order of permutations([
    created,
    due,
    paid,
    { ...due, step: { before: { status: 'active' }, request: 'req_2' } } as const,
  ])) {
    const { standing, pastDueSince } = after(order);
    expect({ ...standing, pastDueSince }).toMatchObject({ status: 'past_due', pastDueSince: later });
  }
});

test('any walk through the states of a second is told in any order, parts of it twice', () => {
  const place = fc.record({
    quantity: fc.integer({ min: 1, max: 3 }),
    cancelAt: fc.constantFrom(null, early, end),
    paused: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.array(place, { minLength: 1, maxLength: 12 }), fc.infiniteStream(fc.nat()), (places, dice) => {
      const walk = places.map((terms, index) => {
        const before: Terms = index === 0 ? { quantity: 1, cancelAt: null, paused: false } : places[index - 1]!;
        return changed(before, terms, `req_${String(index)}`);
      });
      const order = [...walk, created, ...walk.slice(0, 3)]
        .map((command) => ({ command, at: dice.next().value as number }))
        .sort((a, b) => a.at - b.at)
        .map(({ command }) => command);
      expect(after(order).standing).toEqual(after([reported(places.at(-1)!)]).standing);
    }),
    { numRuns: 300 },
  );
});
