import { beforeEach, describe, expect, test } from '@jest/globals';
import { loadConfig } from '#config/env.js';
import { createLogger } from '#config/logger.js';
import { InMemoryEventStore } from '#event-store/in-memory.js';
import { ledgerCodec } from '#ledger/events.js';
import { customerIntentId, stripeIntentDecider, stripeIntentStream } from '#ledger/stripe/intent.js';
import { stripeClientOf } from '#stripe/operations/client.js';
import { customerOperation } from '#stripe/operations/operation.js';
import { ManualClock } from '../../../../test/support/worlds/manual-clock.js';
import { ApiContext } from '../../api-context.js';
import { Problem } from '../../http/problem.js';
import { StripeIntentWriter } from '../../writes/ledger-writers.js';
import { StripeOutbox, type CallerStripeCall } from './outbox.js';

/** Stripe's customers, with its memory of idempotency keys; `lost` answers never arrive. */
class FakeStripe {
  readonly customers: { id: string; object: 'customer'; metadata: Record<string, string> }[] = [];
  readonly keys = new Map<string, object>();
  calls: string[] = [];
  lost = 0;
  refuse: { status: number; code: string } | null = null;

  readonly fetch = (async (url: string, init: { method: string; headers: Record<string, string>; body?: string }) => {
    await Promise.resolve();
    const { pathname } = new URL(url);
    this.calls.push(`${init.method} ${pathname}`);
    const answer = init.method === 'POST' ? this.#create(init) : this.#read(pathname);
    if (this.lost > 0) {
      this.lost -= 1;
      throw new TypeError('fetch failed');
    }
    return new Response(JSON.stringify(answer.body), { status: answer.status });
  }) as unknown as typeof globalThis.fetch;

  #create(init: { headers: Record<string, string>; body?: string }): { status: number; body: object } {
    if (this.refuse !== null) {
      const { status, code } = this.refuse;
      return { status, body: { error: { type: 'invalid_request_error', code } } };
    }
    const key = new Headers(init.headers).get('idempotency-key') ?? '';
    const known = this.keys.get(key);
    if (known !== undefined) return { status: 200, body: known };
    const said = new URLSearchParams(init.body);
    const metadata = {
      customer_id: said.get('metadata[customer_id]')!,
      scrip_intent: said.get('metadata[scrip_intent]')!,
    };
    const customer = { id: `cus_${String(this.customers.length + 1)}`, object: 'customer' as const, metadata };
    this.customers.push(customer);
    this.keys.set(key, customer);
    return { status: 200, body: customer };
  }

  #read(pathname: string): { status: number; body: object } {
    if (pathname === '/v1/customers')
      return { status: 200, body: { object: 'list', data: this.customers, has_more: false } };
    return { status: 200, body: this.customers.find(({ id }) => pathname.endsWith(id))! };
  }
}

let clock: ManualClock;
let stripe: FakeStripe;
let store: InMemoryEventStore;

const context = new ApiContext(loadConfig({ STRIPE_SECRET_KEY: 'sk_test_12345678' }), createLogger('test', 'silent'));
/** An outbox as a process has it: another one is another process over the same log. */
function outbox(): { run(call: StripeCall): Promise<{ id: string }> } {
  const intents = new StripeIntentWriter(stripeIntentDecider, {
    store,
    snapshots: null,
    keys: null,
    clock,
    codec: ledgerCodec,
  });
  const client = stripeClientOf(context.config.stripe, clock, stripe.fetch)!;
  const box = new StripeOutbox(intents, clock, context);
  return { run: (call) => box.run({ ...call, client }) };
}
const intentId = customerIntentId('acme', null);
type StripeCall = Omit<CallerStripeCall<{ id: string }>, 'client'>;
const call: StripeCall = {
  intent: { intentId, customerId: 'acme', operation: 'create_customer', subject: {} },
  operation: customerOperation('acme', intentId, 'customer_id'),
  key: null,
  actor: 'test',
  requestId: 'r-1',
};
const recorded = async (): Promise<string[]> =>
  (await store.readStream(stripeIntentStream(intentId), 0, 100)).map(({ type }) => type);
const codeOf = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => 'done',
    (error: unknown) => (error instanceof Problem ? error.code : error),
  );

beforeEach(() => {
  clock = new ManualClock();
  stripe = new FakeStripe();
  store = new InMemoryEventStore();
});

describe('a call', () => {
  test('leaves its intent before the call and the answer after it', async () => {
    expect((await outbox().run(call)).id).toBe('cus_1');
    expect(await recorded()).toEqual(['StripeCallIntended', 'StripeCallAnswered']);
    expect((await outbox().run(call)).id).toBe('cus_1');
    expect(stripe.calls).toEqual(['POST /v1/customers', 'GET /v1/customers/cus_1']);
  });

  test('run twenty times at once by two processes has one effect', async () => {
    const [here, there] = [outbox(), outbox()];
    const made = await Promise.all(Array.from({ length: 20 }, (_, index) => (index % 2 ? here : there).run(call)));
    expect(new Set(made.map(({ id }) => id))).toEqual(new Set(['cus_1']));
    expect(stripe.customers.length).toBe(1);
  });

  test('whose answer never arrived is settled under the same key', async () => {
    stripe.lost = 8;
    expect(await codeOf(outbox().run(call))).toBe('stripe_unavailable');
    expect([await recorded(), stripe.customers.length]).toEqual([['StripeCallIntended'], 1]);
    stripe.lost = 0;
    await clock.sleep(60_000);
    expect((await outbox().run(call)).id).toBe('cus_1');
    expect(stripe.customers.length).toBe(1);
  });

  test('that is older than Stripe remembers is looked for before it is made again', async () => {
    stripe.lost = 8;
    await codeOf(outbox().run(call));
    stripe.lost = 0;
    stripe.keys.clear();
    await clock.sleep(25 * 3_600_000);
    expect((await outbox().run(call)).id).toBe('cus_1');
    expect(stripe.customers.length).toBe(1);
    expect(await recorded()).toEqual(['StripeCallIntended', 'StripeCallAnswered']);
  });

  test('that is old and had no effect is made under a new key', async () => {
    stripe.lost = 8;
    await codeOf(outbox().run(call));
    stripe.lost = 0;
    stripe.customers.length = 0;
    await clock.sleep(25 * 3_600_000);
    expect((await outbox().run(call)).id).toBe('cus_1');
    expect(await recorded()).toEqual(['StripeCallIntended', 'StripeCallIntended', 'StripeCallAnswered']);
    expect([...stripe.keys.keys()]).toContain('scrip.customer.acme.2');
  });

  test('that was refused is tried again under a new key', async () => {
    stripe.refuse = { status: 400, code: 'parameter_invalid' };
    expect(await codeOf(outbox().run(call))).toBe('stripe_refused');
    stripe.refuse = null;
    expect((await outbox().run(call)).id).toBe('cus_1');
    expect(await recorded()).toEqual([
      'StripeCallIntended',
      'StripeCallRefused',
      'StripeCallIntended',
      'StripeCallAnswered',
    ]);
  });

  test('with a secret key that Stripe does not accept says that Stripe is not there', async () => {
    stripe.refuse = { status: 401, code: 'api_key_expired' };
    expect(await codeOf(outbox().run(call))).toBe('stripe_unavailable');
  });

  test('under a used key with another body is refused before Stripe is asked', async () => {
    const keyed = { ...call, key: { value: 'k', fingerprint: 'a' } };
    await outbox().run(keyed);
    const asked = stripe.calls.length;
    expect(await codeOf(outbox().run({ ...call, key: { value: 'k', fingerprint: 'b' } }))).toBe(
      'idempotency_key_reused',
    );
    expect(stripe.calls.length).toBe(asked);
  });
});
