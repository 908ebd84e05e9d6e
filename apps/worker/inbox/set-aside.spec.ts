import { expect, test } from '@jest/globals';
import { instantOf } from '#kernel/instant.js';
import { stripeEventStream } from '#kernel/stream-name.js';
import type { StripeEventCommand } from '#ledger/stripe/event.js';
import { byTest, deliver, InboxWorld, type Step } from '../../../test/support/worlds/inbox-world.js';
import { catalog } from '../../../test/support/ledger/catalog.js';
import { permutations } from '../../../test/support/permutations.js';
import { stripeEvent } from '../../../test/support/stripe/events.js';

const ignore = [{ type: 'checkout.session.*', metadata: { app: 'shop' }, reason: 'of the shop' }];
const sale = { credit_product: 'credits_1000', quantity: '2' };
const theirs = stripeEvent(
  'checkout.session.completed.endive',
  { id: 'evt_theirs' },
  { metadata: { ...sale, app: 'shop' } },
);
const stray = stripeEvent(
  'checkout.session.completed.endive',
  { id: 'evt_stray' },
  { client_reference_id: null, customer: 'cus_9', metadata: sale },
);

async function say(world: InboxWorld, id: string, command: StripeEventCommand): Promise<void> {
  await world.handlers.stripeEvent.execute({ ...byTest, stream: stripeEventStream(id), command });
  await world.drain();
}
const setAside = { type: 'SetAsideStripeEvent', actor: 'key:ops', reason: 'a test of the shop' } as const;

test('a rule takes an event before it means anything, and one that is parked once the rule is applied', async () => {
  const rules: Step = (world) => world.applyCatalog({ ...catalog, ignore });
  const unsold = {
    ...theirs,
    id: 'evt_unsold',
    data: { object: { ...theirs.data.object, id: 'cs_2', metadata: { app: 'shop' } } },
  };
  for (const drainEach of [true, false])
    for (const order of permutations([rules, deliver(unsold)])) {
      const world = new InboxWorld();
      await world.applyCatalog();
      await world.drain();
      for (const step of order) {
        await step(world);
        if (drainEach) await world.drain();
      }
      await world.drain();
      expect(await world.statusOf('evt_unsold')).toBe('set_aside');
      expect(world.state.parked.size).toBe(0);
      await world.deliver(theirs);
      await world.drain();
      expect(await world.statusOf('evt_theirs')).toBe('set_aside');
      expect((await world.ledger()).balance.available).toBe(0);
    }
});

test('what a person set aside stays so, whatever comes by and wherever the log is read from, until it is tried again', async () => {
  const world = new InboxWorld();
  await world.applyCatalog();
  await world.deliver(stray);
  await world.drain();
  expect(await world.statusOf('evt_stray')).toBe('parked: unknown_customer');
  await say(world, 'evt_stray', setAside);
  await say(world, 'evt_stray', setAside);
  await world.link('acme', 'cus_9');
  await world.drain();
  expect(await world.statusOf('evt_stray')).toBe('set_aside');
  const again = new InboxWorld(world.store);
  again.clock.set(instantOf(world.clock.now() + 120_000));
  await again.drain();
  expect(await again.statusOf('evt_stray')).toBe('set_aside');
  expect((await again.ledger()).balance.available).toBe(0);
  await say(again, 'evt_stray', { type: 'RequestRetry' });
  expect(await again.statusOf('evt_stray')).toBe('translated');
  expect((await again.ledger()).balance.available).toBe(2000);
  await say(again, 'evt_stray', setAside);
  expect(await again.statusOf('evt_stray')).toBe('translated');
});

test('a rule about prices takes no invoice of which the webhook held only some lines', async () => {
  const { lines } = stripeEvent('invoice.paid.endive').data.object as { lines: { data: object[] } };
  const shops = {
    ...lines.data[0],
    id: 'il_shop',
    pricing: { price_details: { price: 'price_shop', product: 'prod_shop' } },
  };
  const invoice = (list: object) => stripeEvent('invoice.paid.endive', {}, { lines: list });
  const statusAfter = async (list: object): Promise<string> => {
    const world = new InboxWorld();
    await world.applyCatalog({ ...catalog, ignore: [{ product: 'prod_shop', reason: 'of the shop' }] });
    const body = invoice(list);
    await world.deliver(body);
    await world.drain();
    return world.statusOf(body.id);
  };
  expect(await statusAfter({ data: [shops], has_more: true })).toBe('parked: lines_incomplete');
  expect(await statusAfter({ data: [shops], has_more: false })).toBe('set_aside');
});
