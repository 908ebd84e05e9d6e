import { describe, expect, test } from '@jest/globals';
import { customerStream, stripeEventStream } from '#kernel/stream-name.js';
import { stripeCustomersOf } from '#ledger/customer.js';
import { deliver, InboxWorld, ledgerAfter, type Step } from '../../../test/support/worlds/inbox-world.js';
import { permutations } from '../../../test/support/permutations.js';
import { stripeEvent, type StripeEventBody } from '../../../test/support/stripe/events.js';

const START = 1_790_812_000;
const metadata = { customer_id: 'acme' };
const applyCatalog: Step = (world) => world.applyCatalog();

const created = (name: string | null, at = 0): StripeEventBody =>
  stripeEvent(
    'customer.created.endive',
    { id: `evt_created_${String(name)}`, created: START + at },
    { metadata: name === null ? {} : { customer_id: name } },
  );

function updated(name: string, at: number, before?: string): StripeEventBody {
  const body = stripeEvent(
    'customer.updated.endive',
    { id: `evt_updated_${name}`, created: START + at },
    { metadata: { customer_id: name } },
  );
  const previous = before === undefined ? {} : { previous_attributes: { metadata: { customer_id: before } } };
  return { ...body, data: { ...body.data, ...previous } };
}

const session = (name: string | null, at: number, change: object = {}): StripeEventBody =>
  stripeEvent(
    'checkout.session.completed.endive',
    { id: `evt_session_${String(name)}_${String(at)}`, created: START + at },
    { client_reference_id: name, metadata: { credit_product: 'credits_1000', quantity: '2' }, ...change },
  );

const deleted = stripeEvent('customer.deleted.endive', { id: 'evt_deleted', created: START + 50 });

const flows: [string, readonly Step[], object][] = [
  [
    'a Stripe customer whose name was corrected',
    [deliver(created('globex')), deliver(updated('acme', 9, 'globex'))],
    {
      owners: { 'stripeCustomer-cus_1': { owners: [{ customerId: 'globex' }, { customerId: 'acme' }] } },
      waiting: [],
    },
  ],
  [
    'a session that names somebody else than its Stripe customer, which is corrected to that one',
    [applyCatalog, deliver(created('globex')), deliver(session('acme', 5)), deliver(updated('acme', 9, 'globex'))],
    { balance: { available: 2000, held: 0, debt: 0 }, waiting: [] },
  ],
  [
    'a session that names somebody else than its Stripe customer',
    [applyCatalog, deliver(created('globex')), deliver(session('acme', 5))],
    {
      balance: { available: 2000, held: 0, debt: 0 },
      waiting: ['evt_session_acme_5 owner_conflict'],
    },
  ],
  [
    'a session that names nobody, before a correction',
    [applyCatalog, deliver(session(null, 5)), deliver(updated('globex', 9, 'acme'))],
    { balance: { available: 2000, held: 0, debt: 0 }, waiting: [] },
  ],
  [
    'a Stripe customer that was deleted, and its purchase',
    [applyCatalog, deliver(created('acme')), deliver(session(null, 5)), deliver(deleted)],
    {
      balance: { available: 2000, held: 0, debt: 0 },
      customer: { 'customer-acme': { stripeCustomers: [{ stripeCustomerId: 'cus_1', relation: 'deleted' }] } },
      waiting: [],
    },
  ],
];

describe.each(flows)('%s', (_name, steps, expected) => {
  test.each([true, false])('ends in the same ledger in every order (worked off after each: %s)', async (drainEach) => {
    const twice = [...steps, ...steps];
    const first = await ledgerAfter([], twice, drainEach);
    expect(first).toMatchObject(expected);
    for (const order of permutations(steps)) {
      expect(await ledgerAfter([], order, drainEach)).toEqual(first);
      expect(await ledgerAfter([], [...order, ...order], drainEach)).toEqual(first);
    }
  });
});

async function worldAfter(...steps: readonly Step[]): Promise<InboxWorld> {
  const world = new InboxWorld();
  for (const step of steps) {
    await step(world);
    await world.drain();
  }
  return world;
}

test('the reason of the one that lost names both', async () => {
  const world = await worldAfter(applyCatalog, deliver(created('acme')), deliver(session('globex', 9)));
  const { reason } = (await world.handlers.stripeEvent.load(stripeEventStream('evt_session_globex_9'))).state;
  expect(reason).toMatchObject({ code: 'owner_conflict', subject: 'cus_1' });
  expect(reason?.detail).toMatch(/acme.*globex/);
});

test('neither a name that was corrected nor one that was taken back waits', async () => {
  const steps = [deliver(created('acme')), deliver(updated('globex', 5, 'acme'))];
  const again = { ...updated('acme', 9, 'globex'), id: 'evt_again' };
  for (const order of permutations([...steps, deliver(again)])) {
    const world = await worldAfter(...order);
    expect((await world.ledger())['waiting']).toEqual([]);
    for (const id of ['evt_created_acme', 'evt_updated_globex', 'evt_again'])
      expect(await world.statusOf(id)).toBe('translated');
  }
});

test('a further Stripe customer is noted and does not take over, by payment link or by hand', async () => {
  const byLink = session('acme', 20, { id: 'cs_2', customer: 'cus_guest', payment_intent: 'pi_2' });
  const byHand = stripeEvent(
    'customer.created.endive',
    { id: 'evt_by_hand', created: START + 30 },
    { id: 'cus_hand', metadata },
  );
  for (const order of permutations([created('acme'), byLink, byHand].map(deliver))) {
    const world = await worldAfter(applyCatalog, ...order);
    const { state } = await world.handlers.customer.load(customerStream('acme'));
    expect(stripeCustomersOf(state)).toEqual(['cus_1', 'cus_guest', 'cus_hand']);
  }
});

test('what is heard late of a former owner does not take a subscription back', async () => {
  const subscription = (type: 'created' | 'updated', at: number): Step =>
    deliver(stripeEvent(`customer.subscription.${type}.endive`, { created: START + at }, { metadata: {} }));
  const correction = [applyCatalog, deliver(created('globex')), deliver(updated('acme', 900, 'globex'))];
  const world = await worldAfter(...correction, subscription('updated', 950), subscription('created', 800));
  expect((await world.ledger())['rows']).toContainEqual(
    expect.stringMatching(/^subscriptions .*"id":"sub_1","customer_id":"acme"/),
  );
});

test("a foreign event makes neither a customer nor an account: other software's ids, and none at all", async () => {
  const ids = ['cus@@#1', '{"id":1}', ' ', '-7'];
  const foreign = ids.map((id, index) => ({ ...created(id, index), id: `evt_foreign_${String(index)}` }));
  const sale = session(null, 5, { metadata: { customer_id: '#12', credit_product: 'credits_1000', quantity: '2' } });
  const world = await worldAfter(applyCatalog, ...foreign.map(deliver), deliver(created(null)), deliver(sale));
  const streams = (await world.store.readAll('', 1000)).map(({ stream }) => stream.split('-')[0]);
  expect(new Set(streams)).toEqual(new Set(['catalog', 'stripeEvent']));
});
