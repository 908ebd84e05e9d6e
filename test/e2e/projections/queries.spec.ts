import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { instantOf, msOf } from '#kernel/instant.js';
import { eventId } from '#event-store/port/encode-event.js';
import { StoreUnavailable } from '#event-store/port/event-store.js';
import { asCustomer } from '#database/as-customer.js';
import { putContact } from '#records/contacts.js';
import { openDatabase } from '#database/database.js';
import { balanceAt, balanceOf, BalanceReader } from '../../../projections/balances/queries.js';
import { grantsOf, holdsOf, type GrantEntry, type GrantStatus } from '../../../projections/balances/lists.js';
import { claimsOf } from '../../../projections/claims/queries.js';
import { CommandKeyIndex } from '../../../projections/command-keys/key-index.js';
import { customerById } from '../../../projections/customers/queries.js';
import { historyOf } from '../../../projections/history/queries.js';
import { projections } from '../../../projections/registry.js';
import type { AnyCommand } from '../../support/ledger/ledger-writer.js';
import { ProjectionWorld } from '../../support/worlds/projection-world.js';
import { consume, grant, hold } from '../../support/ledger/account-commands.js';
import { allOf } from '../../support/api/all-of.js';
const start = '2026-11-01T00:00:00.000Z';
const at = (second: number): string => instantOf(msOf(start) + second * 1000);
const now = (second: number): number => msOf(at(second));
const acme = { customerId: 'acme', unit: 'credits' };

let world: ProjectionWorld;
const run = (stream: string, command: AnyCommand, second: number) => world.writer.run(stream, command, at(second));
const caughtUp = async (): Promise<void> => world.reached(await world.store.head());

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
    await run('account-acme', hold(30, 500), 4);
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
    expect(await balanceOf(world.db, world.accounts, { customerId: 'acme', unit: 'credits' }, now(10))).toEqual({
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
    expect(
      await balanceOf(world.db, world.accounts, { customerId: 'acme', unit: 'credits' }, now(999.999)),
    ).toMatchObject({ available: 144, held: 0 });
    expect(await balanceOf(world.db, world.accounts, { customerId: 'acme', unit: 'credits' }, now(1000))).toMatchObject(
      {
        available: 94,
        held: 0,
        nextExpiry: null,
      },
    );
    expect(await balanceOf(world.db, world.accounts, { customerId: 'acme', unit: 'credits' }, now(2000))).toMatchObject(
      { available: 119 },
    );
    expect(
      (await balanceOf(
        world.db,
        world.accounts,
        { customerId: 'acme', unit: 'credits' },
        Date.parse('2026-12-01T00:00:00Z'),
      ))!.usage,
    ).toMatchObject({
      consumed: 0,
    });
  });

  it('keeps the largest amounts exact', async () => {
    expect(await balanceOf(world.db, world.accounts, { customerId: 'rich', unit: 'points' }, now(60))).toMatchObject({
      available: Number.MAX_SAFE_INTEGER,
    });
  });

  it('that a known customer does not have is empty; an unknown customer has none', async () => {
    expect(await balanceOf(world.db, world.accounts, { customerId: 'quiet', unit: 'credits' }, now(60))).toMatchObject({
      status: 'active',
      available: 0,
      bySource: {},
    });
    expect(await balanceOf(world.db, world.accounts, { customerId: 'acme', unit: 'points' }, now(60))).toMatchObject({
      available: 0,
      unit: 'points',
    });
    expect(await balanceOf(world.db, world.accounts, { customerId: 'nobody', unit: 'credits' }, now(60))).toBeNull();
  });

  it('is answered in batches to many at once, each their own', async () => {
    const reader = new BalanceReader(world.db, world.accounts);
    const names = Array.from({ length: 700 }, (_, index) => ['acme', 'other', 'nobody'][index % 3]!);
    const answers = await Promise.all(names.map((name) => reader.balanceOf(name, 'credits', now(10))));
    names.forEach((name, index) => {
      expect(answers[index]?.available ?? null).toBe({ acme: 114, other: 7, nobody: null }[name]);
    });
  });

  it('lists its grants as they are now', async () => {
    const all = await allOf((cursor) =>
      grantsOf(world.db, world.accounts, { filter: acme, limit: 2, cursor: cursor, now: now(10) }),
    );
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
    const expired = await grantsOf(world.db, world.accounts, {
      filter: { ...acme, status: 'expired' },
      limit: 10,
      cursor: null,
      now: now(1000),
    });
    expect(expired.data).toEqual([
      expect.objectContaining({ source: 'trial', remaining: 0, expired: 50, status: 'expired' }),
    ]);
    const active = await grantsOf(world.db, world.accounts, {
      filter: { ...acme, status: 'active' },
      limit: 10,
      cursor: null,
      now: now(1000),
    });
    expect(active.data.map(({ source }) => source)).toEqual(['adjustment', 'purchase']);
  });

  it('lists its holds as they are now', async () => {
    const [hold] = (
      await holdsOf(world.db, world.accounts, {
        filter: { ...acme, status: 'open' },
        limit: 10,
        cursor: null,
        now: now(10),
      })
    ).data;
    expect(hold).toMatchObject({
      amount: 30,
      remaining: 30,
      status: 'open',
      expiresAt: at(504),
      allocations: [{ source: 'purchase', amount: 30 }],
    });
    expect(
      (await holdsOf(world.db, world.accounts, { filter: acme, limit: 10, cursor: null, now: now(504) })).data,
    ).toEqual([expect.objectContaining({ status: 'expired', remaining: 0, allocations: [] })]);
    expect(
      (
        await holdsOf(world.db, world.accounts, {
          filter: { ...acme, status: 'open' },
          limit: 10,
          cursor: null,
          now: now(504),
        })
      ).data,
    ).toEqual([]);
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
    expect(page).toMatchObject({ total: 2, next: null, data: [{ type: 'consumed', amount: -10 }] });
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
    const closed = openDatabase('postgres://scrip@127.0.0.1:1/none', { clock: world.clock });
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
      'select * from scrip_app.api_keys',
      `update scrip_read.account_balances_g1 set available = 1`,
      `delete from scrip_app.customer_contacts`,
    ]) {
      await expect(asCustomer(world.db, 'acme', (reader) => reader.query({ text }))).rejects.toMatchObject({
        name: 'DatabaseError',
      });
    }
  });

  it('their balance and lists by the same queries; of others nothing', async () => {
    const [own, other, grants, history, customer, stranger] = await asCustomer(world.db, 'acme', async (reader) => [
      await balanceOf(reader, world.accounts, { customerId: 'acme', unit: 'credits' }, now(10)),
      await balanceOf(reader, world.accounts, { customerId: 'other', unit: 'credits' }, now(10)),
      await grantsOf(reader, world.accounts, { filter: acme, limit: 10, cursor: null, now: now(10) }),
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

describe('a grant', () => {
  const sumOf = (entry: GrantEntry): number =>
    entry.remaining + entry.consumed + entry.expired + entry.revoked + entry.repaidDebt + entry.transferred;

  it('tells what of it went to credits that were owed', async () => {
    await run('account-debtor', grant(10), 0);
    await run('account-debtor', { type: 'ChangeSettings', overdraftLimit: 5 }, 1);
    await run('account-debtor', consume(14), 2);
    await run('account-debtor', grant(100), 3);
    await caughtUp();
    const { data } = await grantsOf(world.db, world.accounts, {
      filter: { customerId: 'debtor', unit: 'credits' },
      limit: 10,
      cursor: null,
      now: now(4),
    });
    expect(data.map(({ remaining, consumed, repaidDebt }) => ({ remaining, consumed, repaidDebt }))).toEqual([
      { remaining: 96, consumed: 0, repaidDebt: 4 },
      { remaining: 0, consumed: 10, repaidDebt: 0 },
    ]);
    for (const entry of data) expect(sumOf(entry)).toBe(entry.amount);
  });

  it('is expired from its expiry on, even while a hold pins all that is left of it', async () => {
    const pinned = { customerId: 'pinned', unit: 'credits' };
    await run('account-pinned', grant(5, { expiresAt: at(100) }), 0);
    await run('account-pinned', hold(5, 500), 1);
    await caughtUp();
    const by = async (status: GrantStatus, second: number): Promise<readonly GrantEntry[]> =>
      (
        await grantsOf(world.db, world.accounts, {
          filter: { ...pinned, status },
          limit: 10,
          cursor: null,
          now: now(second),
        })
      ).data;
    expect(await by('active', 99)).toMatchObject([{ status: 'active', remaining: 5, held: 5 }]);
    expect(await by('active', 100)).toEqual([]);
    expect(await by('expired', 100)).toMatchObject([{ status: 'expired', remaining: 5, held: 5, expired: 0 }]);
  });
});

describe('the usage of a month', () => {
  it('is what was consumed in it, less what was given back of that, whenever it was', async () => {
    const day = 86_400;
    const usageAt = async (second: number): Promise<number> =>
      (await balanceOf(world.db, world.accounts, { customerId: 'monthly', unit: 'credits' }, now(second)))!.usage
        .consumed;
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

describe('the usage of a subscription', () => {
  const DAY = 86_400;
  const renewal = 13 * DAY;
  const paid = (from: number, until: number) => ({
    type: 'GrantPeriod',
    subscriptionId: 'sub_usage',
    itemId: 'si_1',
    periodStart: at(from),
    periodEnd: at(until),
    interval: 'month',
    creditsPerMonth: 5000,
    prorated: false,
    cost: { amount: 4900, currency: 'usd' },
    rolloverCap: 0,
    paymentReference: `in_${String(from)}`,
    lines: [],
    metadata: {},
  });

  /** As the rows tell it and, where the account has gone no further, as the query for a past time answers: they must agree. */
  async function usageAt(second: number): Promise<object> {
    await caughtUp();
    const wanted = { customerId: 'renewed', unit: 'credits' };
    const balance = await balanceOf(world.db, world.accounts, wanted, now(second));
    const past = await world.accounts.load('account-renewed', { at: at(second) });
    expect(balanceAt(past, at(second), past.position).usage).toEqual(balance!.usage);
    return balance!.usage;
  }

  it('is 4,000 of 5,000 after 4,000 were used before the renewal and 4,000 after it', async () => {
    const [first, second] = [
      { periodStart: at(renewal - 30 * DAY), periodEnd: at(renewal) },
      { periodStart: at(renewal), periodEnd: at(renewal + 30 * DAY) },
    ];
    await run('account-renewed', grant(10_000), 0);
    await run('account-renewed', paid(renewal - 30 * DAY, renewal), 1);
    await run('account-renewed', consume(4000), renewal - 1);
    expect(await usageAt(renewal - 1)).toEqual({ ...first, consumed: 4000, limit: 5000 });
    await run('account-renewed', consume(1500), renewal);
    expect(await usageAt(renewal + 60)).toEqual({ ...first, consumed: 4000, limit: 5000 });
    await run('account-renewed', paid(renewal, renewal + 30 * DAY), renewal + 3600);
    await run('account-renewed', consume(2500), renewal + 3601);
    expect(await usageAt(renewal + 3602)).toEqual({ ...second, consumed: 4000, limit: 5000 });
    await run(
      'account-renewed',
      { type: 'EndSubscription', subscriptionId: 'sub_usage', endedAt: at(renewal + 7200) },
      renewal + 7200,
    );
    expect(await usageAt(renewal + 7201)).toEqual({ ...second, consumed: 4000, limit: 5000 });
    expect(await usageAt(renewal + 30 * DAY)).toMatchObject({ periodStart: '2026-12-01T00:00:00.000Z', limit: null });
  });
});

it('all of it equals the fold of the log', async () => {
  await caughtUp();
  expect(await world.differences()).toEqual([]);
});
