import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { randomBytes } from 'node:crypto';
import { instantOf, msOf } from '#kernel/instant.js';
import { eventId } from '#event-store/encode-event.js';
import { StoreUnavailable } from '#event-store/event-store.js';
import {
  createApiKey,
  findApiKey,
  hashOfSecret,
  listApiKeys,
  revokeApiKey,
  touchApiKey,
} from '#read-store/api-keys.js';
import { asCustomer } from '#read-store/as-customer.js';
import { contactOf, eraseContact, putContact } from '#read-store/customer-contacts.js';
import { decodeCursor } from '#read-store/cursor.js';
import type { Cursor, Page } from '#read-store/cursor.js';
import { openReadDatabase } from '#read-store/read-database.js';
import { balanceOf, BalanceReader } from '../../projections/balance-queries.js';
import { grantsOf, holdsOf, type GrantEntry, type GrantStatus } from '../../projections/balance-lists.js';
import { creditEventsOf, creditProductsOf, plansOf } from '../../projections/catalogue.js';
import { claimsOf } from '../../projections/claims.js';
import { CommandKeyIndex } from '../../projections/command-keys.js';
import { customerById, searchCustomers } from '../../projections/customers.js';
import { historyOf } from '../../projections/history.js';
import { parkedEvents } from '../../projections/parked-events.js';
import { projections } from '../../projections/registry.js';
import type { AnyCommand } from '../support/ledger-writer.js';
import { ProjectionWorld } from '../support/projection-world.js';

jest.setTimeout(60_000);

const start = '2026-11-01T00:00:00.000Z';
const at = (second: number): string => instantOf(msOf(start) + second * 1000);
const now = (second: number): number => msOf(at(second));
const told = { description: null, metadata: {} };
const grant = (amount: number, more: object = {}) => ({
  type: 'GrantCredits',
  amount,
  source: 'purchase',
  priority: 50,
  effectiveAt: null,
  expiresAt: null,
  costBasis: null,
  paymentReference: null,
  ...told,
  ...more,
});
const consume = (amount: number, more: object = {}) => ({
  type: 'ConsumeCredits',
  amount,
  usage: null,
  resource: null,
  ...told,
  ...more,
});
const acme = { customerId: 'acme', unit: 'credits' };

let world: ProjectionWorld;
const run = (stream: string, command: AnyCommand, second: number) => world.writer.run(stream, command, at(second));
const caughtUp = async (): Promise<void> => world.reached(await world.store.head());

/** All entries of a list, by its cursors. */
async function allOf<Item>(list: (cursor: Cursor | null) => Promise<Page<Item>>): Promise<Item[]> {
  const items: Item[] = [];
  for (let cursor: Cursor | null = null; ;) {
    const page = await list(cursor);
    items.push(...page.data);
    if (page.nextCursor === null) return items;
    cursor = decodeCursor(page.nextCursor, ['text']) as Cursor;
  }
}

beforeAll(async () => {
  world = await ProjectionWorld.open();
  world.work();
});
afterAll(() => world.close());

describe('an account', () => {
  beforeAll(async () => {
    await run(
      'account-acme',
      grant(100, { description: 'nul\0 and "quotes" \\ {}', costBasis: { amount: 999, currency: 'usd' } }),
      0,
    );
    await run('account-acme', grant(50, { source: 'trial', expiresAt: at(1000) }), 1);
    await run('account-acme', grant(25, { source: 'promotion', effectiveAt: at(2000) }), 2);
    const [bought] = (await run(
      'account-acme',
      consume(10, { resource: { type: 'lead', id: 'l-1' }, usage: { creditEvent: 'lead', quantity: 2 } }),
      3,
    )) as readonly unknown[] as readonly { consumptionId: string }[];
    await run('account-acme', { type: 'HoldCredits', amount: 30, expiresInSeconds: 500, ...told }, 4);
    await run(
      'account-acme',
      { type: 'ReverseConsumption', consumptionId: bought!.consumptionId, amount: 4, reason: 'bad lead' },
      5,
    );
    await run('account-acme', consume(1, { resource: { type: 'seat', id: 's-1' } }), 6);
    await run('account-acme', { type: 'AdjustCredits', amount: -2, reason: 'count' }, 7);
    await run('account-acme', { type: 'AdjustCredits', amount: 3, reason: 'count' }, 8);
    await run('account-other', grant(7), 9);
    await run('account-rich.points', grant(Number.MAX_SAFE_INTEGER), 9);
    await run('customer-quiet', { type: 'RegisterCustomer', customerId: 'quiet' }, 10);
    await caughtUp();
  });

  it('has a balance exact in time', async () => {
    const position = (await world.generations('balances'))[0]!.position;
    expect(await balanceOf(world.db, 'acme', 'credits', now(10))).toEqual({
      ...acme,
      status: 'active',
      available: 114,
      held: 30,
      debt: 0,
      overdraftLimit: 0,
      bySource: { purchase: 91, trial: 50, adjustment: 3 },
      expiryBuckets: { within7Days: 50, within30Days: 0, within90Days: 0, later: 0, never: 94 },
      nextExpiry: { at: at(1000), amount: 50 },
      usage: { periodStart: start, periodEnd: '2026-12-01T00:00:00.000Z', consumed: 7, limit: null },
      asOf: { position, time: at(10) },
    });
    expect(await balanceOf(world.db, 'acme', 'credits', now(999.999))).toMatchObject({ available: 144, held: 0 });
    expect(await balanceOf(world.db, 'acme', 'credits', now(1000))).toMatchObject({
      available: 94,
      held: 0,
      nextExpiry: null,
    });
    expect(await balanceOf(world.db, 'acme', 'credits', now(2000))).toMatchObject({ available: 119 });
    expect((await balanceOf(world.db, 'acme', 'credits', Date.parse('2026-12-01T00:00:00Z')))!.usage).toMatchObject({
      consumed: 0,
    });
  });

  it('keeps the largest amounts exact', async () => {
    expect(await balanceOf(world.db, 'rich', 'points', now(60))).toMatchObject({ available: Number.MAX_SAFE_INTEGER });
  });

  it('that a known customer does not have is empty; an unknown customer has none', async () => {
    expect(await balanceOf(world.db, 'quiet', 'credits', now(60))).toMatchObject({
      status: 'active',
      available: 0,
      bySource: {},
    });
    expect(await balanceOf(world.db, 'acme', 'points', now(60))).toMatchObject({ available: 0, unit: 'points' });
    expect(await balanceOf(world.db, 'nobody', 'credits', now(60))).toBeNull();
  });

  it('is answered in batches to many at once, each their own', async () => {
    const reader = new BalanceReader(world.db);
    const names = Array.from({ length: 700 }, (_, index) => ['acme', 'other', 'nobody'][index % 3]!);
    const answers = await Promise.all(names.map((name) => reader.balanceOf(name, 'credits', now(10))));
    names.forEach((name, index) => {
      expect(answers[index]?.available ?? null).toBe({ acme: 114, other: 7, nobody: null }[name]);
    });
  });

  it('lists its grants as they are now', async () => {
    const all = await allOf((cursor) => grantsOf(world.db, acme, 2, cursor, now(10)));
    expect(
      all.map(({ source, amount, remaining, held, consumed, revoked, status }) => [
        source,
        amount,
        remaining,
        held,
        consumed,
        revoked,
        status,
      ]),
    ).toEqual([
      ['adjustment', 3, 3, 0, 0, 0, 'active'],
      ['promotion', 25, 25, 0, 0, 0, 'scheduled'],
      ['trial', 50, 50, 0, 0, 0, 'active'],
      ['purchase', 100, 91, 30, 7, 2, 'active'],
    ]);
    expect(all[3]).toMatchObject({
      description: 'nul and "quotes" \\ {}',
      costBasis: { amount: 999, currency: 'usd' },
      createdAt: at(0),
    });
    const expired = await grantsOf(world.db, { ...acme, status: 'expired' }, 10, null, now(1000));
    expect(expired.data).toEqual([
      expect.objectContaining({ source: 'trial', remaining: 0, expired: 50, status: 'expired' }),
    ]);
    const active = await grantsOf(world.db, { ...acme, status: 'active' }, 10, null, now(1000));
    expect(active.data.map(({ source }) => source)).toEqual(['adjustment', 'purchase']);
  });

  it('lists its holds as they are now', async () => {
    const [hold] = (await holdsOf(world.db, { ...acme, status: 'open' }, 10, null, now(10))).data;
    expect(hold).toMatchObject({
      amount: 30,
      remaining: 30,
      status: 'open',
      expiresAt: at(504),
      allocations: [{ source: 'purchase', amount: 30 }],
    });
    expect((await holdsOf(world.db, acme, 10, null, now(504))).data).toEqual([
      expect.objectContaining({ status: 'expired', remaining: 0, allocations: [] }),
    ]);
    expect((await holdsOf(world.db, { ...acme, status: 'open' }, 10, null, now(504))).data).toEqual([]);
  });

  it('has a history with the running balance', async () => {
    const all = await allOf((cursor) => historyOf(world.db, acme, 3, { cursor }));
    expect(all.map(({ type, amount, balanceAfter }) => [type, amount, balanceAfter])).toEqual([
      ['adjusted', 3, 114],
      ['adjusted', -2, 111],
      ['consumed', -1, 113],
      ['reversed', 4, 114],
      ['held', -30, 110],
      ['consumed', -10, 140],
      ['granted', 0, 150],
      ['granted', 50, 150],
      ['granted', 100, 100],
    ]);
    expect(all[5]).toMatchObject({ resource: { type: 'lead', id: 'l-1' }, actor: 'key:test', at: at(3) });
    expect(all[3]!.consumptionId).toBe(all[5]!.consumptionId);
    const page = await historyOf(world.db, { ...acme, types: ['consumed', 'held'], from: at(3), to: at(6) }, 1, {
      offset: 1,
    });
    expect(page).toMatchObject({ total: 2, hasMore: false, data: [{ type: 'consumed', amount: -10 }] });
  });

  it('lists what was bought', async () => {
    const all = await allOf((cursor) => claimsOf(world.db, acme, 1, cursor));
    expect(all.map(({ resource, amount, reversed }) => [resource.id, amount, reversed])).toEqual([
      ['s-1', 1, 0],
      ['l-1', 10, 4],
    ]);
    expect((await claimsOf(world.db, { ...acme, resourceType: 'lead' }, 10, null)).data).toEqual([
      expect.objectContaining({
        creditEvent: 'lead',
        quantity: 2,
        allocations: [expect.objectContaining({ amount: 10 })],
      }),
    ]);
    expect((await claimsOf(world.db, { ...acme, resourceType: 'lead', resourceId: 's-1' }, 10, null)).data).toEqual([]);
  });

  it('finds the place of a command by its event id', async () => {
    const first = eventId('account-acme', 'api', 'key-0', 0);
    const unknown = eventId('account-acme', 'api', 'no such key', 0);
    const { places, through } = await new CommandKeyIndex(world.db).locate([first, unknown]);
    expect([...places]).toEqual([[first, { stream: 'account-acme', revision: 0 }]]);
    expect(through).toBe(await world.store.head());
    expect((await new CommandKeyIndex(world.db).locate([])).through).toBe(through);
  });

  it('says that the store is away when the index cannot be asked', async () => {
    const closed = openReadDatabase('postgres://scrip@127.0.0.1:1/none', { clock: world.clock });
    await expect(new CommandKeyIndex(closed).locate([])).rejects.toThrow(StoreUnavailable);
    await closed.close();
  });
});

describe('a customer reads', () => {
  const tables = projections.flatMap((projection) => projection.tables);

  it.each(tables.filter(({ visibleTo }) => visibleTo === 'own-rows').map(({ name }) => name))(
    'only their own rows of %s, also without asking for them',
    async (name) => {
      await putContact(world.db, 'acme', { name: 'Acme' }, start);
      const all = await world.db.query<{ customer_id: string }>({ text: `select customer_id from scrip_read.${name}` });
      const own = await asCustomer(world.db, 'acme', (reader) =>
        reader.query<{ customer_id: string }>({ text: `select customer_id from scrip_read.${name}` }),
      );
      expect(own).toEqual(all.filter(({ customer_id }) => customer_id === 'acme'));
      const nobody = await asCustomer(world.db, `' or true --`, (reader) =>
        reader.query({ text: `select customer_id from scrip_read.${name}` }),
      );
      expect(nobody).toEqual([]);
    },
  );

  it.each(tables.filter(({ visibleTo }) => visibleTo === 'operators').map(({ name }) => name))(
    'nothing of %s',
    async (name) => {
      await expect(
        asCustomer(world.db, 'acme', (reader) => reader.query({ text: `select * from scrip_read.${name}` })),
      ).rejects.toMatchObject({ sqlState: '42501' });
    },
  );

  it('nothing of the keys, and changes nothing', async () => {
    for (const text of [
      'select * from scrip_read.api_keys',
      `update scrip_read.account_balances_g1 set available = 1`,
      `delete from scrip_read.customer_contacts`,
    ]) {
      await expect(asCustomer(world.db, 'acme', (reader) => reader.query({ text }))).rejects.toMatchObject({
        name: 'ReadDatabaseError',
      });
    }
  });

  it('their balance and lists by the same queries; of others nothing', async () => {
    const [own, other, grants, history, customer, stranger] = await asCustomer(world.db, 'acme', async (reader) => [
      await balanceOf(reader, 'acme', 'credits', now(10)),
      await balanceOf(reader, 'other', 'credits', now(10)),
      await grantsOf(reader, acme, 10, null, now(10)),
      await historyOf(reader, { customerId: 'other', unit: 'credits' }, 10, { offset: 0 }),
      await customerById(reader, 'acme'),
      await customerById(reader, 'other'),
    ]);
    expect(own).toMatchObject({ available: 114 });
    expect(other).toBeNull();
    expect(grants.data).toHaveLength(4);
    expect(history).toMatchObject({ data: [], total: 0 });
    expect(customer).toMatchObject({ id: 'acme', name: 'Acme' });
    expect(stranger).toBeNull();
  });

  it('and leaves no trace on the connection', async () => {
    await asCustomer(world.db, 'acme', () => Promise.resolve());
    const roles = await Promise.all(
      Array.from({ length: 20 }, () =>
        world.db.query<{ ok: boolean }>({ text: `select current_user = session_user as ok` }),
      ),
    );
    expect(roles.flat().every(({ ok }) => ok)).toBe(true);
  });
});

describe('customers', () => {
  it('are found by id, name and e-mail, newest first', async () => {
    for (const [index, id] of ['cust_a', 'cust_b', 'CUST_C', 'x%y'].entries())
      await run(`customer-${id}`, { type: 'RegisterCustomer', customerId: id }, 20 + index);
    await putContact(world.db, 'cust_a', { name: 'Zoë Corp', email: 'zoe@example.org', metadata: { tier: 1 } }, start);
    await caughtUp();
    const ids = async (text: string | null) =>
      (await allOf((cursor) => searchCustomers(world.db, text, 2, cursor))).map(({ id }) => id);
    expect(await ids('cust_')).toEqual(['CUST_C', 'cust_b', 'cust_a']);
    expect(await ids('zoë')).toEqual(['cust_a']);
    expect(await ids('EXAMPLE.org')).toEqual(['cust_a']);
    expect(await ids('%')).toEqual(['x%y']);
    expect(await ids(null)).toEqual(['x%y', 'CUST_C', 'cust_b', 'cust_a', 'quiet', 'rich', 'other', 'acme']);
    expect(await customerById(world.db, 'cust_a')).toEqual({
      id: 'cust_a',
      name: 'Zoë Corp',
      email: 'zoe@example.org',
      metadata: { tier: 1 },
      stripeCustomerId: null,
      createdAt: at(20),
      erasedAt: null,
    });
    expect(await customerById(world.db, 'nobody')).toBeNull();
  });

  it('keep their contact when only a part changes, and lose all of it on request', async () => {
    await putContact(world.db, 'person', { name: 'N', email: 'e@x', metadata: { a: 1 } }, start);
    expect(await putContact(world.db, 'person', { email: null }, start)).toEqual({
      name: 'N',
      email: null,
      metadata: { a: 1 },
    });
    await eraseContact(world.db, 'person');
    expect(await contactOf(world.db, 'person')).toBeNull();
  });

  it('keep their newest Stripe customer, and show that they were erased', async () => {
    await run('customer-linked', { type: 'LinkStripeCustomer', customerId: 'linked', stripeCustomerId: 'cus_1' }, 30);
    await run('customer-linked', { type: 'LinkStripeCustomer', customerId: 'linked', stripeCustomerId: 'cus_2' }, 31);
    await run('customer-linked', { type: 'EraseCustomer', customerId: 'linked' }, 32);
    await caughtUp();
    expect(await customerById(world.db, 'linked')).toMatchObject({
      stripeCustomerId: 'cus_2',
      createdAt: at(30),
      erasedAt: at(32),
    });
  });
});

describe('the catalogue', () => {
  it('shows what is on sale, and what was on request', async () => {
    const plan = {
      id: 'pro',
      name: 'Pro',
      description: null,
      monthly: null,
      yearly: null,
      creditsPerMonth: 10,
      free: false,
      trialDays: null,
      features: [],
      limits: {},
    };
    const pack = {
      id: 'pack',
      name: 'Pack',
      credits: 50,
      price: { amount: 500, currency: 'usd' },
      stripePriceId: null,
      expiresAfterDays: null,
    };
    const call = { id: 'call', name: 'Call', description: null, category: null, price: { kind: 'flat', cost: 1 } };
    const apply = (catalog: object, second: number) => run('catalog', { type: 'ApplyCatalog', catalog }, second);
    await apply({ plans: [plan], creditProducts: [pack], creditEvents: [call] }, 40);
    await apply({ plans: [{ ...plan, name: 'Pro 2' }], creditProducts: [], creditEvents: [call] }, 41);
    await caughtUp();
    expect(await plansOf(world.db)).toEqual([expect.objectContaining({ id: 'pro', name: 'Pro 2', active: true })]);
    expect(await creditProductsOf(world.db)).toEqual([]);
    expect(await creditProductsOf(world.db, true)).toEqual([expect.objectContaining({ id: 'pack', active: false })]);
    expect(await asCustomer(world.db, 'acme', (reader) => creditEventsOf(reader))).toEqual([{ ...call, active: true }]);
  });
});

describe('parked Stripe events', () => {
  it('are listed until they are translated', async () => {
    const received = (id: string) => ({
      type: 'ReceiveStripeEvent',
      stripeEventId: id,
      stripeType: 'invoice.paid',
      created: start,
      livemode: false,
      apiVersion: null,
      payload: {},
    });
    const reason = { code: 'unknown_customer', subject: 'cus_9', detail: 'no customer is linked' };
    for (const [index, id] of ['evt_1', 'evt_2', 'evt_3'].entries()) {
      await run(`stripeEvent-${id}`, received(id), 50 + index);
      await run(`stripeEvent-${id}`, { type: 'ParkStripeEvent', reason }, 50 + index);
    }
    await caughtUp();
    await run('stripeEvent-evt_1', { type: 'RequestRetry' }, 60);
    await run('stripeEvent-evt_2', { type: 'RequestRetry' }, 60);
    await run('stripeEvent-evt_2', { type: 'RecordTranslation', effects: [] }, 61);
    await caughtUp();
    const all = await allOf((cursor) => parkedEvents(world.db, 1, cursor));
    expect(all).toEqual([
      { id: 'evt_3', type: 'invoice.paid', reason, parkedAt: at(52), retryRequestedAt: null },
      { id: 'evt_1', type: 'invoice.paid', reason, parkedAt: at(50), retryRequestedAt: at(60) },
    ]);
  });
});

describe('API keys', () => {
  it('are found by the hash of their secret until they are revoked', async () => {
    const { key, secret } = await createApiKey(
      world.db,
      { name: 'ci', scopes: ['credits:read'], at: start },
      randomBytes,
    );
    expect(secret).toMatch(/^scrip_[A-Za-z0-9_-]{43}$/);
    expect(key).toMatchObject({ name: 'ci', scopes: ['credits:read'], createdAt: start, revokedAt: null });
    expect(secret.startsWith(key.prefix)).toBe(true);
    expect(await findApiKey(world.db, hashOfSecret(secret))).toEqual(key);
    expect(await findApiKey(world.db, hashOfSecret(`${secret}x`))).toBeNull();
    await touchApiKey(world.db, key.id, at(5));
    expect(await revokeApiKey(world.db, key.id, at(6))).toMatchObject({ revokedAt: at(6) });
    expect(await revokeApiKey(world.db, key.id, at(7))).toMatchObject({ revokedAt: at(6), lastUsedAt: at(5) });
    expect(await revokeApiKey(world.db, 'key_none', at(7))).toBeNull();
    expect(await findApiKey(world.db, hashOfSecret(secret))).toBeNull();
    expect((await listApiKeys(world.db)).map(({ id }) => id)).toContain(key.id);
    const stored = await world.db.query({ text: 'select * from scrip_read.api_keys' });
    expect(JSON.stringify(stored)).not.toContain(secret);
  });
});

describe('a grant', () => {
  const sumOf = (entry: GrantEntry): number =>
    entry.remaining + entry.consumed + entry.expired + entry.revoked + entry.repaidDebt;

  it('tells what of it went to credits that were owed', async () => {
    await run('account-debtor', grant(10), 0);
    await run('account-debtor', { type: 'ChangeSettings', overdraftLimit: 5 }, 1);
    await run('account-debtor', consume(14), 2);
    await run('account-debtor', grant(100), 3);
    await caughtUp();
    const { data } = await grantsOf(world.db, { customerId: 'debtor', unit: 'credits' }, 10, null, now(4));
    expect(data.map(({ remaining, consumed, repaidDebt }) => ({ remaining, consumed, repaidDebt }))).toEqual([
      { remaining: 96, consumed: 0, repaidDebt: 4 },
      { remaining: 0, consumed: 10, repaidDebt: 0 },
    ]);
    for (const entry of data) expect(sumOf(entry)).toBe(entry.amount);
  });

  it('is expired from its expiry on, even while a hold pins all that is left of it', async () => {
    const pinned = { customerId: 'pinned', unit: 'credits' };
    await run('account-pinned', grant(5, { expiresAt: at(100) }), 0);
    await run('account-pinned', { type: 'HoldCredits', amount: 5, expiresInSeconds: 500, ...told }, 1);
    await caughtUp();
    const by = async (status: GrantStatus, second: number): Promise<readonly GrantEntry[]> =>
      (await grantsOf(world.db, { ...pinned, status }, 10, null, now(second))).data;
    expect(await by('active', 99)).toMatchObject([{ status: 'active', remaining: 5, held: 5 }]);
    expect(await by('active', 100)).toEqual([]);
    expect(await by('expired', 100)).toMatchObject([{ status: 'expired', remaining: 5, held: 5, expired: 0 }]);
  });
});

describe('the usage of a month', () => {
  it('is what was consumed in it, less what was given back of that, whenever it was', async () => {
    const day = 86_400;
    const usageAt = async (second: number): Promise<number> =>
      (await balanceOf(world.db, 'monthly', 'credits', now(second)))!.usage.consumed;
    const idOf = (recorded: unknown): string => (recorded as readonly { consumptionId: string }[])[0]!.consumptionId;
    const giveBack = (consumptionId: string, amount: number) => ({
      type: 'ReverseConsumption',
      consumptionId,
      amount,
      reason: null,
    });
    await run('account-monthly', grant(100), 0);
    const november = idOf(await run('account-monthly', consume(20), 1));
    await run('account-monthly', giveBack(november, 5), 2);
    await caughtUp();
    expect(await usageAt(3)).toBe(15);
    const december = idOf(await run('account-monthly', consume(7), 30 * day));
    await run('account-monthly', giveBack(november, 15), 30 * day + 1);
    await run('account-monthly', giveBack(december, 2), 30 * day + 2);
    await caughtUp();
    expect(await usageAt(30 * day + 3)).toBe(5);
  });
});

it('all of it equals the fold of the log', async () => {
  await caughtUp();
  expect(await world.differences()).toEqual([]);
});
