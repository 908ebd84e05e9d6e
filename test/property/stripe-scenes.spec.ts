import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type Stripe from 'stripe';
import { objectIn } from '#stripe/shapes/fields.js';
import { normaliseSubscription } from '#stripe/shapes/subscription.js';
import { plainJson } from '#stripe/operations/events.js';
import { compareSubscription, type Difference } from '#stripe/reconciliation/compare.js';
import { translatedTypes } from '#stripe/translations/registry.js';
import { instantOf } from '#kernel/instant.js';
import { subscriptionStream } from '#kernel/stream-name.js';
import type { Catalog } from '#ledger/catalog.js';
import { renderEvent } from '../../apps/stripe-sandbox/core/render-event.js';
import type { StoredEvent } from '../../apps/stripe-sandbox/core/world.js';
import { InboxWorld, type Ledger } from '../support/worlds/inbox-world.js';
import { permutations } from '../support/permutations.js';
import { SandboxWorld } from '../support/processes/running-sandbox.js';
import { buyer, Shop } from '../support/stripe/shop.js';
import type { StripeEventBody } from '../support/stripe/events.js';
import { beginningScenes, type Scene } from '../support/stripe/scenes.js';
import { changingScenes } from '../support/stripe/scenes/change.js';
import { returningScenes } from '../support/stripe/scenes/returning.js';
const versions = [
  '2026-10-28.endive',
  '2026-03-25.dahlia',
  '2025-09-30.clover',
  '2025-03-31.basil',
  '2025-02-24.acacia',
  '2024-06-20',
  '2022-11-15',
] as const;
const newest = versions[0];
const ORDERS = 14;

let sandbox: SandboxWorld;
beforeAll(async () => {
  sandbox = await SandboxWorld.start();
});
afterAll(() => sandbox.close());

/** The events of a scene, in parts: those `delivered` before credits were used, and those since. */
type Recorded = {
  readonly parts: readonly { readonly delivered: readonly StoredEvent[]; readonly consumed: number }[];
  readonly catalog: Catalog;
  /** What Stripe shows at the end of it. */
  readonly subscriptions: readonly Stripe.Subscription[];
  readonly from: number;
  readonly to: number;
};

async function record({ act }: Scene): Promise<Recorded> {
  await sandbox.reset();
  const parts: { delivered: readonly StoredEvent[]; consumed: number }[] = [];
  const { world } = sandbox.sandbox.runtime.sandbox;
  const undelivered = (): readonly StoredEvent[] => {
    const known = new Set(parts.flatMap(({ delivered }) => delivered));
    return [...world.events.values()].filter((event) => !known.has(event));
  };
  const consume = (consumed: number): Promise<void> => {
    parts.push({ delivered: undelivered(), consumed });
    return Promise.resolve();
  };
  const shop = await Shop.open(sandbox, buyer, { consume, livedTo: () => Promise.resolve() });
  const from = shop.now;
  await act(shop);
  parts.push({ delivered: undelivered(), consumed: 0 });
  const { data: subscriptions } = await shop.stripe.subscriptions.list({ status: 'all' });
  return { parts, catalog: shop.catalog, subscriptions, from, to: shop.now };
}

const bodyOf = (event: StoredEvent, version: string): StripeEventBody =>
  renderEvent(event, version, 1) as unknown as StripeEventBody;

/** The last part of a scene in some order; what came before it was delivered in its own order, and processed. */
type Delivery = (last: readonly StoredEvent[]) => readonly StripeEventBody[];

/** The ledger at `at` after all events of a scene were delivered. */
async function worldAfter(recorded: Recorded, at: number, version: string, delivery: Delivery): Promise<InboxWorld> {
  const world = new InboxWorld();
  world.clock.set(instantOf(at * 1000));
  await world.applyCatalog(recorded.catalog);
  const last = recorded.parts.at(-1);
  for (const part of recorded.parts) {
    const bodies = part === last ? delivery(part.delivered) : part.delivered.map((event) => bodyOf(event, version));
    for (const body of bodies) await world.deliver(body);
    await world.drain();
    if (part.consumed > 0) {
      const rest = { usage: null, resource: null, description: null, metadata: {} };
      await world.run({ type: 'ConsumeCredits', amount: part.consumed, ...rest });
    }
  }
  return world;
}

/** All that it and its read models say. */
const booksAfter = async (...how: Parameters<typeof worldAfter>): Promise<Ledger> =>
  (await worldAfter(...how)).ledger();

/** Where a reconciliation would find that the ledger has a subscription otherwise than Stripe. */
async function differencesOf({ handlers }: InboxWorld, { subscriptions }: Recorded): Promise<readonly Difference[]> {
  const catalog = (await handlers.catalog.load('catalog')).state;
  const compared = subscriptions.map(async (object) => {
    const read = normaliseSubscription(objectIn(plainJson(object)));
    if (!('ok' in read)) throw new Error(`Stripe shows no ${read.unreadable}`);
    const { state } = await handlers.subscription.load(subscriptionStream(object.id));
    return compareSubscription(read.ok, state, catalog);
  });
  return (await Promise.all(compared)).filter((difference) => difference !== null);
}

/** All orders of the few that say something; a sample of the orders of many, with some reported twice, under another id, or thrice. */
function* deliveries(last: readonly StoredEvent[], seed: number): Generator<readonly StripeEventBody[]> {
  const body = (event: StoredEvent): StripeEventBody => bodyOf(event, newest);
  const meaning = last.filter(({ type }) => translatedTypes.includes(type));
  if (meaning.length <= 6) for (const order of permutations(meaning)) yield order.map(body);
  const twins = last.map((event) => ({ ...body(event), id: `${event.id}_again` }));
  const all = [...last.map(body), ...twins.filter((_, index) => index % 3 === 0), ...last.slice(0, 2).map(body)];
  yield all.toReversed();
  yield* fc.sample(fc.shuffledSubarray(all, { minLength: all.length }), { numRuns: ORDERS, seed });
}

describe.each([...beginningScenes, ...changingScenes, ...returningScenes].map((scene, seed) => ({ ...scene, seed })))(
  '$flow: $name',
  (scene) => {
    let recorded: Recorded;
    beforeAll(async () => {
      recorded = await record(scene);
    });
    const inOrder =
      (version: string): Delivery =>
      (last) =>
        last.map((event) => bodyOf(event, version));

    test('nothing of it waits', async () => {
      expect(await booksAfter(recorded, recorded.to, newest, inOrder(newest))).toMatchObject({
        waiting: [],
      });
    });

    test('leaves every subscription as Stripe has it', async () => {
      const world = await worldAfter(recorded, recorded.to, newest, inOrder(newest));
      expect(await differencesOf(world, recorded)).toEqual([]);
    });

    test.each(['to', 'from'] as const)('ends in the same books in any order (seen at its %s)', async (time) => {
      const books = await booksAfter(recorded, recorded[time], newest, inOrder(newest));
      for (const order of deliveries(recorded.parts.at(-1)?.delivered ?? [], scene.seed))
        expect(await booksAfter(recorded, recorded[time], newest, () => order)).toEqual(books);
    });

    test.each(versions.slice(1))('ends in the same books in the shape of %s', async (version) => {
      const books = await booksAfter(recorded, recorded.to, newest, inOrder(newest));
      expect(await booksAfter(recorded, recorded.to, version, inOrder(version))).toEqual(books);
    });
  },
);
