import { setTimeout } from 'node:timers/promises';
import { describe, expect, test } from '@jest/globals';
import { CheckpointMoved } from '#consuming/checkpoint.js';
import { InMemoryEventStore } from '#event-store/in-memory.js';
import {
  metadataOf,
  OutcomeUnknown,
  StoreUnavailable,
  type AppendRequest,
  type AppendResult,
  type EncodedEvent,
} from '#event-store/port/event-store.js';
import { assert } from '#kernel/assert.js';
import { stripeEventStream } from '#kernel/stream-name.js';
import {
  byTest,
  deliver,
  InboxWorld,
  ledgerAfter,
  type Ledger,
  type Step,
} from '../../../test/support/worlds/inbox-world.js';
import { permutations } from '../../../test/support/permutations.js';
import { stripeEvent } from '../../../test/support/stripe/events.js';
import { TryAgainLater } from '../outcomes.js';
import { grant } from '../../../test/support/ledger/account-commands.js';

const applyCatalog: Step = (world) => world.applyCatalog();

const outcomeOf = (steps: readonly Step[], drainEach: boolean): Promise<Ledger> => ledgerAfter([], steps, drainEach);

const renewed = stripeEvent(
  'invoice.paid.endive',
  { id: 'evt_renewal' },
  { id: 'in_2', billing_reason: 'subscription_cycle', payments: null },
);
const renewedLine = (renewed.data.object['lines'] as { data: { period: object }[] }).data[0];
if (renewedLine !== undefined) renewedLine.period = { start: 1793491200, end: 1796083200 };

const unpaid = { payment_status: 'unpaid', client_reference_id: null };
const flows: [string, readonly Step[], object][] = [
  [
    'a subscription and its renewal, told twice, the price published and the customer linked at any time',
    [
      applyCatalog,
      deliver(stripeEvent('checkout.session.completed.subscription.endive')),
      deliver(stripeEvent('invoice.paid.endive')),
      deliver(stripeEvent('invoice.paid.acacia')),
      deliver(renewed),
    ],
    {
      balance: { available: 1000, held: 0, debt: 0 },
      subscriptions: { 'subscription-sub_1': { periodEnd: '2026-12-01T00:00:00.000Z' } },
    },
  ],
  [
    'a top-up paid later, told twice under two ids, the customer linked by another session',
    [
      applyCatalog,
      deliver(stripeEvent('checkout.session.completed.endive', { id: 'evt_unpaid' }, unpaid)),
      deliver(
        stripeEvent(
          'checkout.session.async_payment_succeeded.endive',
          { id: 'evt_paid' },
          { client_reference_id: null },
        ),
      ),
      deliver(
        stripeEvent(
          'checkout.session.async_payment_succeeded.endive',
          { id: 'evt_again' },
          { client_reference_id: null },
        ),
      ),
      deliver(stripeEvent('checkout.session.completed.subscription.endive')),
    ],
    { balance: { available: 2000, held: 0, debt: 0 } },
  ],
];

describe.each(flows)('%s', (_name, steps, expected) => {
  test.each([true, false])('ends in the same ledger in every order (worked off after each: %s)', async (drainEach) => {
    const first = await outcomeOf(steps, drainEach);
    expect(first).toMatchObject(expected);
    for (const order of permutations(steps)) expect(await outcomeOf(order, drainEach)).toEqual(first);
  });

  test('ends in the same ledger when everything is delivered three times and worked off again from the start', async () => {
    const world = new InboxWorld();
    for (const step of [...steps, ...steps.toReversed(), ...steps]) await step(world);
    await world.drain(2);
    const ledger = await world.ledger();
    expect(ledger).toEqual(await outcomeOf(steps, true));
    const length = (await world.store.readAll('', 10_000)).length;
    await new InboxWorld(world.store).drain(7);
    expect((await world.store.readAll('', 10_000)).length).toBe(length);
  });
});

describe('a parked event', () => {
  test('waits for its customer and goes on by itself', async () => {
    const world = new InboxWorld();
    await world.applyCatalog();
    await world.deliver(stripeEvent('invoice.paid.endive'));
    await world.drain();
    expect(await world.statusOf('evt_invoice_new')).toBe('parked: unknown_customer');
    expect([...world.state.parked.keys()]).toEqual(['evt_invoice_new']);
    await world.link('acme', 'cus_1');
    await world.drain();
    expect(await world.statusOf('evt_invoice_new')).toBe('translated');
    expect(world.state.parked.size).toBe(0);
  });

  test('is tried again on request and parked again while nothing has changed', async () => {
    const world = new InboxWorld();
    await world.deliver(stripeEvent('checkout.session.completed.endive'));
    await world.drain();
    expect(await world.statusOf('evt_session_new')).toBe('parked: unknown_price');
    const stream = stripeEventStream('evt_session_new');
    await world.handlers.stripeEvent.execute({ ...byTest, stream, command: { type: 'RequestRetry' } });
    await world.drain();
    expect(await world.statusOf('evt_session_new')).toBe('parked: unknown_price');
    await world.applyCatalog();
    await world.drain();
    expect(await world.statusOf('evt_session_new')).toBe('translated');
  });

  test('of a closed account keeps the payment and grants after nothing', async () => {
    const world = new InboxWorld();
    await world.applyCatalog();
    await world.handlers.account.execute({
      ...byTest,
      stream: 'account-acme',
      command: grant(1, { source: 'promotion' }),
    });
    await world.handlers.account.execute({
      ...byTest,
      stream: 'account-acme',
      command: { type: 'CloseAccount', reason: 'left' },
    });
    await world.deliver(stripeEvent('checkout.session.completed.endive'));
    await world.drain();
    expect(await world.statusOf('evt_session_new')).toBe('parked: account_refused');
    expect(world.state.parked.get('evt_session_new')).toMatchObject({
      subject: 'account-acme',
      detail: expect.stringMatching(
        /^[^:]*checkout.session cs_test_1.*account_closed: the account is closed.*give the money back/,
      ),
    });
    expect((await world.handlers.payment.load('payment-pi_1')).state.payment).not.toBeNull();
  });
});

/** Loses every third answer and refuses every seventh append. */
class UnreliableStore extends InMemoryEventStore {
  #appends = 0;

  override async append(request: AppendRequest): Promise<AppendResult> {
    this.#appends += 1;
    if (this.#appends % 7 === 0) throw new StoreUnavailable('down');
    const result = await super.append(request);
    if (this.#appends % 3 === 0) throw new OutcomeUnknown('lost');
    return result;
  }
}

test('a store that fails holds the inbox at its checkpoint; nothing is skipped or doubled', async () => {
  const world = new InboxWorld(new UnreliableStore());
  const steps = flows.flatMap(([, list]) => list);
  const tried = async (work: () => Promise<void>): Promise<void> => {
    for (let tries = 0; tries < 200; tries += 1) {
      try {
        await work();
        return;
      } catch (error) {
        if (!(error instanceof TryAgainLater)) throw error;
      }
    }
    throw new Error('never came to an end');
  };
  for (const step of [...steps, ...steps, ...steps]) await step(world);
  await tried(() => world.drain(4));
  // Trying again takes time, so the same facts are recorded a little later.
  const withoutTime = (ledger: unknown): string =>
    JSON.stringify(ledger).replaceAll(/2026-10-01T00:01:00\.\d{3}Z/g, 'when it was recorded');
  expect(withoutTime(await world.ledger())).toBe(withoutTime(await outcomeOf(steps, false)));
});

test('an inbox whose checkpoint another worker has moved commits nothing', async () => {
  const world = new InboxWorld();
  await world.deliver(stripeEvent('checkout.session.completed.endive'));
  const batch = await world.store.readAll('', 10);
  world.state.position = 'elsewhere';
  await expect(world.inbox.process('0000000000000000000', batch)).rejects.toThrow(CheckpointMoved);
});

test('events that tell the inbox nothing move its checkpoint only now and then', async () => {
  const world = new InboxWorld();
  await world.handlers.customer.execute({
    ...byTest,
    stream: 'customer-a',
    command: { type: 'RegisterCustomer', customerId: 'a' },
  });
  await world.drain();
  expect(Number(world.state.position)).toBe(0);
});

/** Records how an event ended later than what it meant, as a busy store may. */
class SlowStore extends InMemoryEventStore {
  override async append(request: AppendRequest): Promise<AppendResult> {
    await setTimeout(request.stream.startsWith('stripeEvent-') ? 20 : 1);
    return super.append(request);
  }
}

test('money back in another currency waits, although its payment became known while it was worked off', async () => {
  // Stripe's refunds name no customer, so they are worked off beside their payment.
  const other = { currency: 'eur', customer: null, payment_intent: 'pi_9', charge: 'ch_9', status: 'succeeded' };
  const refund = stripeEvent('refund.updated.endive', { id: 'evt_refund' }, other);
  const intent = stripeEvent('payment_intent.succeeded.endive', { id: 'evt_intent' }, { id: 'pi_9' });
  for (const order of permutations([refund, intent])) {
    const world = new InboxWorld(new SlowStore());
    await world.applyCatalog();
    await world.link('acme', 'cus_1');
    for (const event of order) await world.deliver(event);
    await world.drain();
    expect(await world.statusOf('evt_refund')).toBe('parked: currency_mismatch');
  }
});

test('a fault of our own keeps one event waiting, which is tried again on request, and no other', async () => {
  const world = new InboxWorld();
  await world.applyCatalog();
  await world.link('acme', 'cus_1');
  const execute = world.handlers.account.execute.bind(world.handlers.account);
  let broken = true;
  world.handlers.account.execute = (request) => {
    assert(!broken || request.causationId !== 'evt_broken', 'the books do not add up');
    return execute(request);
  };
  await world.deliver(stripeEvent('checkout.session.completed.endive', { id: 'evt_broken' }));
  await world.deliver(stripeEvent('invoice.paid.endive', { id: 'evt_right' }));
  await world.drain();
  expect(await world.statusOf('evt_broken')).toBe('parked: internal_error');
  expect(await world.statusOf('evt_right')).toBe('translated');
  broken = false;
  const stream = stripeEventStream('evt_broken');
  await world.handlers.stripeEvent.execute({ ...byTest, stream, command: { type: 'RequestRetry' } });
  await world.drain();
  expect(await world.statusOf('evt_broken')).toBe('translated');
});

/** Takes nothing that a certain Stripe event changes on an account. */
class NarrowStore extends InMemoryEventStore {
  override sizeOf(event: EncodedEvent): number {
    const isOfLarge = event.type === 'CreditsGranted' && metadataOf(event).causationId === 'evt_large';
    return isOfLarge ? this.maxAppendBytes + 1 : super.sizeOf(event);
  }
}

test('an event that changes more than the log takes at once waits for a person, and no other', async () => {
  const world = new InboxWorld(new NarrowStore());
  await world.applyCatalog();
  await world.link('acme', 'cus_1');
  await world.deliver(stripeEvent('checkout.session.completed.endive', { id: 'evt_large' }));
  await world.deliver(stripeEvent('invoice.paid.endive', { id: 'evt_right' }));
  await world.drain();
  expect(await world.statusOf('evt_large')).toBe('parked: too_large');
  expect(await world.statusOf('evt_right')).toBe('translated');
});
