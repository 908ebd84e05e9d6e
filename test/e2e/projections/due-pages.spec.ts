import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { ledgerHandlers } from '#composition/ledger-handlers.js';
import { freeSubscriptionId } from '#ledger/subscription/subscription.js';
import { dueAccounts, type DueAccount } from '../../../projections/balances/due-accounts.js';
import { dueAllowances, type DueAllowance } from '../../../projections/allowances/due-allowances.js';
import { pendingIntents, type PendingIntent } from '../../../projections/stripe-intents/queries.js';
import { lapsedSubscriptions, type LapsedSubscription } from '../../../projections/subscriptions/queries.js';
import { grant } from '../../support/ledger/account-commands.js';
import { byTest } from '../../support/worlds/inbox-world.js';
import { ProjectionWorld } from '../../support/worlds/projection-world.js';

const customers = ['a', 'b', 'c', 'd', 'e', 'f', 'g'];
const later = '2099-01-01T00:00:00.000Z';

let world: ProjectionWorld;

beforeAll(async () => {
  world = await ProjectionWorld.open();
  world.work();
  const { store, clock } = world;
  const handlers = ledgerHandlers({ store, snapshots: null, keys: null, clock });
  for (const [index, customerId] of customers.entries()) {
    // Two and three of them at one instant, so that pages end between such.
    const expiresAt = `2098-01-0${String(1 + Math.floor(index / 3))}T00:00:00.000Z`;
    const subscriptionId = freeSubscriptionId(customerId);
    await handlers.account.execute({
      ...byTest,
      stream: `account-${customerId}`,
      command: grant(5, { source: 'promotion', expiresAt }),
    });
    await handlers.subscription.execute({
      ...byTest,
      stream: `subscription-${subscriptionId}`,
      command: { type: 'StartFreePlan', customerId, planId: 'free', subscriptionId },
    });
    await handlers.stripeIntent.execute({
      ...byTest,
      stream: `stripeIntent-portal.${customerId}`,
      command: {
        type: 'IntendStripeCall',
        intentId: `portal.${customerId}`,
        customerId,
        operation: 'create_portal_session',
        subject: {},
      },
    });
  }
  await world.reached(await store.head());
  // As if each had a plan whose payment is missing, two at an instant.
  await world.db.query({
    text: `update scrip_read.subscriptions set standing = 'past_due',
      lapses_from = '2026-01-0' || (1 + (ascii(customer_id) - ascii('a')) / 2) || 'T00:00:00.000Z'`,
  });
});
afterAll(() => world.close());

type Page<Row> = (after: Row | null, limit: number) => Promise<readonly Row[]>;

/** Whatever the size of pages, each row comes once, in the one order; each page is asked for after the last row before it. */
async function expectPages<Row>(page: Page<Row>): Promise<void> {
  const all = await page(null, 100);
  expect(all).toHaveLength(customers.length);
  for (const size of [1, 2, 3, 4]) {
    const rows: Row[] = [];
    for (let next: readonly Row[] = all; next.length > 0; rows.push(...next)) {
      next = await page(rows.at(-1) ?? null, size);
      expect(next.length).toBeLessThanOrEqual(size);
    }
    expect(rows).toEqual(all);
  }
}

test('accounts that are due come once each, in pages of any size', () =>
  expectPages((after: DueAccount | null, limit) => dueAccounts(world.db, later, after, limit)));

test('so do allowances', () =>
  expectPages((after: DueAllowance | null, limit) =>
    dueAllowances(world.db, { now: later, graceMs: 0, credits: new Map([['free', 100]]) }, after, limit),
  ));

test('so do subscriptions whose days of grace are over', () =>
  expectPages((after: LapsedSubscription | null, limit) => lapsedSubscriptions(world.db, later, after, limit)));

test('so do calls to Stripe whose end nobody has heard of', () =>
  expectPages((after: PendingIntent | null, limit) => pendingIntents(world.db, later, after, limit)));
