import { expect, test } from '@jest/globals';
import { CheckpointMoved } from '#consuming/checkpoint.js';
import { InMemoryEventStore } from '#event-store/in-memory.js';
import { metadataOf, START, type EncodedEvent } from '#event-store/port/event-store.js';
import { assert } from '#kernel/assert.js';
import { stripeEventStream } from '#kernel/stream-name.js';
import { stripeEvent } from '../../../test/support/stripe/events.js';
import { InMemoryCheckpoint } from '../../../test/support/worlds/in-memory-checkpoint.js';
import { byTest, drained, InboxWorld } from '../../../test/support/worlds/inbox-world.js';
import { TryAgainLater } from '../outcomes.js';
import { Settler } from './settler.js';

const session = stripeEvent('checkout.session.completed.endive', { id: 'evt_session' });
const refund = stripeEvent('refund.updated.endive', { id: 'evt_refund' });

async function worldAfter(...events: readonly (typeof session)[]): Promise<InboxWorld> {
  const world = new InboxWorld(new NarrowStore());
  await world.applyCatalog();
  await world.link('acme', 'cus_1');
  for (const event of events) await world.deliver(event);
  return world;
}

/** Takes nothing that a refund changes on an account, while it is narrow. */
class NarrowStore extends InMemoryEventStore {
  isNarrow = false;
  override sizeOf(event: EncodedEvent): number {
    const isOfRefund = event.type === 'PaymentClaimed' && metadataOf(event).causationId === 'evt_refund';
    return this.isNarrow && isOfRefund ? this.maxAppendBytes + 1 : super.sizeOf(event);
  }
}

const taken = async (world: InboxWorld): Promise<number> =>
  [...(await world.handlers.account.load('account-acme')).state.grants.values()]
    .flatMap(({ revocations }) => revocations)
    .reduce((sum, { amount }) => sum + amount, 0);

async function tryAgain(world: InboxWorld, id: string): Promise<void> {
  await world.handlers.stripeEvent.execute({
    ...byTest,
    stream: stripeEventStream(id),
    command: { type: 'RequestRetry' },
  });
  await world.drain();
}

test('the inbox records what goes back, and the settler takes it, caused by the same Stripe event', async () => {
  const world = await worldAfter(session, refund);
  await drained(world.store, world.inbox, 100);
  expect([await world.statusOf('evt_refund'), await taken(world)]).toEqual(['translated', 0]);
  await drained(world.store, world.settler, 100);
  expect(await taken(world)).toBeGreaterThan(0);
  const log = await world.store.readAll(START, 1000);
  const settled = log.filter(({ type }) => type === 'PaymentClaimed').map(metadataOf);
  expect(settled).toMatchObject([
    { causationId: 'evt_refund', commandKey: 'settlement:payment-pi_1@1', actor: 'stripe' },
  ]);
});

test('one that reads the whole log again writes nothing', async () => {
  const other = { currency: 'eur', id: 're_eur' };
  const world = await worldAfter(session, refund, stripeEvent('refund.updated.endive', { id: 'evt_eur' }, other));
  await world.drain();
  expect(await world.statusOf('evt_eur')).toBe('parked: currency_mismatch');
  await world.handlers.stripeEvent.execute({
    ...byTest,
    stream: stripeEventStream('evt_eur'),
    command: { type: 'SetAsideStripeEvent', actor: 'cli', reason: 'adjusted by hand' },
  });
  const before = await world.store.head();
  for (const page of [1, 1000]) {
    const again = new Settler({ handlers: world.handlers, checkpoint: new InMemoryCheckpoint() });
    await drained(world.store, again, page);
  }
  expect(await world.store.head()).toBe(before);
});

test('what cannot be settled waits by the Stripe event that caused it, and is settled by another try', async () => {
  const world = await worldAfter(session, refund);
  const store = world.store as NarrowStore;
  store.isNarrow = true;
  await world.drain();
  expect(await world.statusOf('evt_refund')).toBe('parked: too_large');
  const { state } = await world.handlers.stripeEvent.load(stripeEventStream('evt_refund'));
  expect(state.reason).toMatchObject({ subject: 'payment-pi_1', detail: expect.stringContaining('refund re_1: ') });
  await tryAgain(world, 'evt_refund');
  expect([await world.statusOf('evt_refund'), await taken(world)]).toEqual(['parked: too_large', 0]);
  store.isNarrow = false;
  await tryAgain(world, 'evt_refund');
  expect(await world.statusOf('evt_refund')).toBe('translated');
  expect(await taken(world)).toBeGreaterThan(0);
});

test('a fault of our own parks each Stripe event of a batch that it concerns, and no other', async () => {
  const charge = stripeEvent('charge.refunded.endive', { id: 'evt_charge' });
  const paid = stripeEvent('invoice.paid.endive', { id: 'evt_invoice' });
  const world = await worldAfter(session, refund, charge, paid);
  const execute = world.handlers.account.execute.bind(world.handlers.account);
  let broken = true;
  world.handlers.account.execute = (request) => {
    assert(!broken || request.command.type !== 'SettlePayment', 'the books do not add up');
    return execute(request);
  };
  await world.drain();
  expect(await Promise.all(['evt_refund', 'evt_charge', 'evt_invoice'].map((id) => world.statusOf(id)))).toEqual([
    'parked: internal_error',
    'parked: internal_error',
    'translated',
  ]);
  broken = false;
  await tryAgain(world, 'evt_refund');
  await tryAgain(world, 'evt_charge');
  expect((await world.ledger())['waiting']).toEqual([]);
  expect(await taken(world)).toBeGreaterThan(0);
});

test('a store that is away moves no checkpoint, and the same batch settles when it is back', async () => {
  const world = await worldAfter(session, refund);
  await drained(world.store, world.inbox, 100);
  const execute = world.handlers.account.execute.bind(world.handlers.account);
  world.handlers.account.execute = () => Promise.resolve({ kind: 'unavailable' });
  await expect(drained(world.store, world.settler, 100)).rejects.toThrow(TryAgainLater);
  expect(await world.settler.checkpoint()).toBe(START);
  world.handlers.account.execute = execute;
  await drained(world.store, world.settler, 100);
  expect(await taken(world)).toBeGreaterThan(0);
});

test('one that was overtaken writes what the other wrote, and moves nothing', async () => {
  const world = await worldAfter(session, refund);
  await world.drain();
  const batch = await world.store.readAll(START, 1000);
  const checkpoint = await world.settler.checkpoint();
  await expect(world.settler.process(START, batch)).rejects.toThrow(CheckpointMoved);
  expect(await world.store.head()).toBe(batch.at(-1)?.position);
  expect(await world.settler.checkpoint()).toBe(checkpoint);
});
