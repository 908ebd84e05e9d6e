import { beforeEach, describe, expect, test } from '@jest/globals';
import { ManualClock } from '../../../test/support/worlds/manual-clock.js';
import { StripeClient } from './client.js';
import { subscriptionLookup, subscriptionOperation, viewOf, type SubscriptionChange } from './subscription.js';

type Answer = { readonly status: number; readonly body: object };
type Fate = 'served' | 'cut' | 'lost' | 'refused';
type Held = { price: string; schedule: string | null; next: string | null };
type Call = { readonly method: string; readonly path: string; readonly said: URLSearchParams };

const refusal = (code: string, status = 400): Answer => ({
  status,
  body: { error: { type: 'invalid_request_error', code } },
});

/** One subscription as Stripe has it, with its schedule and Stripe's memory of keys; `fates` says how each call goes. */
class FakeStripe {
  readonly calls: string[] = [];
  fates: (call: number) => Fate = () => 'served';
  readonly state: Held & {
    status: string;
    ends: boolean;
    cancelAt: number | null;
    collects: boolean;
    schedules: number;
  };
  readonly #keys = new Map<string, Answer>();

  constructor(begin: Partial<FakeStripe['state']>) {
    const plain = { price: 'price_a', schedule: null, next: null, status: 'active', ends: false, cancelAt: null };
    this.state = { ...plain, collects: true, schedules: begin.schedule === undefined ? 0 : 1, ...begin };
  }

  readonly fetch = (async (url: string, init: { method: string; headers: Record<string, string>; body?: string }) => {
    await Promise.resolve();
    const { method } = init;
    const path = new URL(url).pathname.replace('/v1/', '');
    this.calls.push(`${method} ${path}`);
    const fate = this.fates(this.calls.length);
    if (fate === 'cut') throw new TypeError('fetch failed');
    const key = new Headers(init.headers).get('idempotency-key');
    const known = method === 'POST' && key !== null ? this.#keys.get(key) : undefined;
    const said = new URLSearchParams(init.body ?? '');
    const answer = known ?? (fate === 'refused' ? refusal('not_now') : this.#serve({ method, path, said }));
    if (method === 'POST' && key !== null && fate !== 'refused') this.#keys.set(key, answer);
    if (fate === 'lost') throw new TypeError('fetch failed');
    return new Response(JSON.stringify(answer.body), { status: answer.status });
  }) as unknown as typeof globalThis.fetch;

  #serve({ method, path, said }: Call): Answer {
    const { state } = this;
    if (path === 'subscription_schedules') {
      if (state.schedule !== null) return refusal('already_scheduled');
      state.schedules += 1;
      state.schedule = `sub_sched_${String(state.schedules)}`;
    } else if (path.startsWith('subscription_schedules/')) {
      if (state.schedule === null || !path.includes(state.schedule)) return refusal('resource_missing', 404);
      if (path.endsWith('/release')) [state.schedule, state.next] = [null, null];
      else if (method === 'POST') state.next = said.get('phases[1][items][0][price]');
    } else {
      const refused = method === 'GET' ? null : this.#change(method, path, said);
      return refused ?? { status: 200, body: this.subscription() };
    }
    return { status: 200, body: { id: path.split('/')[1] ?? state.schedule, object: 'subscription_schedule' } };
  }

  #change(method: string, path: string, said: URLSearchParams): Answer | null {
    const { state } = this;
    if (state.status === 'canceled') return refusal('resource_missing', 404);
    if (method === 'DELETE') state.status = 'canceled';
    else if (path.endsWith('/resume')) state.status = 'active';
    else if (state.schedule !== null) return refusal('managed_by_schedule');
    state.price = said.get('items[0][price]') ?? state.price;
    state.ends = (said.get('cancel_at_period_end') ?? String(state.ends)) === 'true';
    if (said.get('cancel_at') === '') state.cancelAt = null;
    if (said.get('pause_collection') === '') state.collects = true;
    return null;
  }

  subscription(): object {
    const { price, status, schedule, next, ends, cancelAt, collects } = this.state;
    const expanded = schedule && { id: schedule, phases: [{ items: [{ price }] }, { items: [{ price: next }] }] };
    return {
      id: 'sub_1',
      object: 'subscription',
      livemode: false,
      status,
      schedule: expanded,
      cancel_at_period_end: ends,
      cancel_at: cancelAt,
      pause_collection: collects ? null : { behavior: 'void' },
      ended_at: null,
      items: { data: [{ id: 'si_1', price: { id: price }, current_period_start: 1, current_period_end: 2 }] },
    };
  }
}

let clock: ManualClock;
beforeEach(() => {
  clock = new ManualClock();
});

const clientOf = ({ fetch }: FakeStripe): StripeClient =>
  new StripeClient({ secretKey: 'sk_test_1', apiBase: null, livemode: false, clock, fetch });

const scheduled = { schedule: 'sub_sched_1', next: 'price_b' } as const;
/** What is wanted, of which subscription, and as what it must then stand at Stripe. */
const cases: [string, SubscriptionChange, Partial<FakeStripe['state']>, Partial<FakeStripe['state']>][] = [
  ['a cancellation at once', { kind: 'cancel', atPeriodEnd: false }, scheduled, { status: 'canceled' }],
  ['a cancellation at the end', { kind: 'cancel', atPeriodEnd: true }, scheduled, { ends: true, schedule: null }],
  ['going on', { kind: 'resume' }, { ends: true, collects: false }, { ends: false, collects: true }],
  [
    'going on after a pause',
    { kind: 'resume' },
    { status: 'paused', cancelAt: 9 },
    { status: 'active', cancelAt: null },
  ],
  [
    'a change at once',
    { kind: 'change', priceId: 'price_c', when: 'now' },
    scheduled,
    { price: 'price_c', schedule: null },
  ],
  [
    'a change at once to what it is',
    { kind: 'change', priceId: 'price_a', when: 'now' },
    scheduled,
    { price: 'price_a', schedule: null },
  ],
  [
    'a first change at the end',
    { kind: 'change', priceId: 'price_c', when: 'period_end' },
    {},
    { next: 'price_c', schedules: 1 },
  ],
  [
    'another change at the end',
    { kind: 'change', priceId: 'price_c', when: 'period_end' },
    scheduled,
    { next: 'price_c', schedules: 1 },
  ],
  [
    'no change at the end any more',
    { kind: 'change', priceId: 'price_a', when: 'period_end' },
    scheduled,
    { schedule: null },
  ],
];

describe.each(cases)('%s', (_name, change, begin, end) => {
  const operation = subscriptionOperation('sub_1', change);

  test('is done step by step, and answered as it then is', async () => {
    const stripe = new FakeStripe(begin);
    const answer = await operation.create(clientOf(stripe), 'key');
    if (answer.kind !== 'answered') throw new Error(answer.kind);
    expect(stripe.state).toMatchObject(end);
    expect(viewOf(answer.value)).toMatchObject({
      status: stripe.state.status,
      priceId: stripe.state.price,
      cancelAtPeriodEnd: stripe.state.ends,
      changeScheduled: stripe.state.schedule !== null,
    });
    const calls = stripe.calls.length;
    expect(calls).toBeGreaterThan(1);
    const found = await subscriptionLookup('sub_1', change).find(clientOf(stripe), '');
    expect(found).toMatchObject({ kind: 'answered', value: { id: 'sub_1' } });
  });

  test.each(['cut', 'lost'] as const)(
    'is unavailable when any of its calls is %s, and done by the same key',
    async (fate) => {
      const whole = new FakeStripe(begin);
      await operation.create(clientOf(whole), 'key');
      for (let down = 1; down <= whole.calls.length; down += 1) {
        const stripe = new FakeStripe(begin);
        const client = clientOf(stripe);
        stripe.fates = (call) => (call < down ? 'served' : call === down ? fate : 'cut');
        expect(await operation.create(client, 'key')).toEqual({ kind: 'unavailable', retryAfterSeconds: 5 });
        stripe.fates = () => 'served';
        await clock.sleep(60_000);
        expect(await operation.create(client, 'key')).toMatchObject({ kind: 'answered', value: { id: 'sub_1' } });
        expect(stripe.state).toMatchObject(end);
      }
    },
  );

  test('is done when the answer to any of its calls is lost once', async () => {
    const whole = new FakeStripe(begin);
    await operation.create(clientOf(whole), 'key');
    for (let lost = 1; lost <= whole.calls.length; lost += 1) {
      const stripe = new FakeStripe(begin);
      stripe.fates = (call) => (call === lost ? 'lost' : 'served');
      expect(await operation.create(clientOf(stripe), 'key')).toMatchObject({
        kind: 'answered',
        value: { id: 'sub_1' },
      });
      expect(stripe.state).toMatchObject(end);
    }
  });

  test('is refused when any of its calls is, and nothing is done after that', async () => {
    const whole = new FakeStripe(begin);
    await operation.create(clientOf(whole), 'key');
    for (let refused = 1; refused <= whole.calls.length; refused += 1) {
      const stripe = new FakeStripe(begin);
      stripe.fates = (call) => (call === refused ? 'refused' : 'served');
      expect(await operation.create(clientOf(stripe), 'key')).toMatchObject({ kind: 'refused', code: 'not_now' });
      expect(stripe.calls.slice(refused).filter((call) => !call.startsWith('GET'))).toEqual([]);
    }
  });
});

test('a subscription that has ended is not cancelled again', async () => {
  const stripe = new FakeStripe({ status: 'canceled' });
  const operation = subscriptionOperation('sub_1', { kind: 'cancel', atPeriodEnd: false });
  expect(await operation.create(clientOf(stripe), 'key')).toMatchObject({ kind: 'answered' });
  expect(stripe.calls).toEqual(['GET subscriptions/sub_1']);
});
