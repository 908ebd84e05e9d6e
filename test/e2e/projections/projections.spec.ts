import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import fc from 'fast-check';
import { instantOf, msOf } from '#kernel/instant.js';
import { accountAt } from '#ledger/account/at.js';
import { ledgerCodec } from '#ledger/events.js';
import { compareProjections } from '#projecting/comparison/compare.js';
import { requestRebuild, resumeProjection } from '#projecting/generations.js';
import { migrateReadModels } from '#projecting/migrate.js';
import { migrateRecords } from '#records/migrate.js';
import { projectionStatus } from '#projecting/status.js';
import { waitForPosition } from '#projecting/wait-for-position.js';
import { balances } from '../../../projections/balances/balances.js';
import { balanceOf, BalanceReader } from '../../../projections/balances/queries.js';
import { catalogueProjection } from '../../../projections/catalogue/catalogue.js';
import { historyProjection } from '../../../projections/history/history.js';
import { historyOf } from '../../../projections/history/queries.js';
import { projections } from '../../../projections/registry.js';
import { resolve, stepsWithClaims } from '../../property/ledger/commands.js';
import { booksAt, runModel } from '../../property/model/account.js';
import { emptyBooks } from '../../property/model/books.js';
import { ProjectionWorld } from '../../support/worlds/projection-world.js';
import { consume, grant } from '../../support/ledger/account-commands.js';

const at = (second: number): string => instantOf(Date.parse('2026-11-01T00:00:00.000Z') + second * 1000);
let world: ProjectionWorld;
beforeEach(async () => {
  world = await ProjectionWorld.open();
});
afterEach(() => world.close());

/**
 * A subscriber's trial that is moved, a year: paid, given away in part, made smaller and greater, refunded by and by (the second refund fails), ended; a budget, a freeze.
 * What random lives do not bring about.
 */
function writeSubscriber(): void {
  const [subscriptionId, end, metadata] = ['sub_1', '2027-11-01T00:00:00.000Z', {}];
  const cost = { amount: 49_000, currency: 'usd' };
  const year = { periodStart: at(0), periodEnd: end, interval: 'year', creditsPerMonth: 5000, prorated: false };
  const change = (changeId: string, second: number, credits: number) => {
    const parts = [{ since: at(second), credits }];
    const period = { end, interval: 'year', parts, cost: null, lines: [], grants: true, takesBack: true };
    return { type: 'ChangePeriod', subscriptionId, changeId, periods: [period], paymentReference: changeId, metadata };
  };
  const refund = { cause: { kind: 'refund', id: 're_1' }, state: 'taken', amount: 24_500, since: at(50) };
  const rest = { ...refund, cause: { kind: 'refund', id: 're_2' } };
  const trial = { subscriptionId: 'sub_trial', start: at(0), metadata };
  const commands = [
    { ...trial, type: 'AgreeTrial', itemId: 'si_2', amount: 50, end: '2026-11-15T00:00:00.000Z', version: 1 },
    { ...trial, type: 'MoveTrial', end: '2026-11-20T00:00:00.000Z', version: 2 },
    { ...year, type: 'GrantPeriod', subscriptionId, itemId: 'si_1', cost, rolloverCap: 100, lines: [], metadata },
    consume(700),
    { type: 'TransferCredits', toCustomerId: 'globex', amount: 4000, reason: null, receiver: 'ready' },
    { type: 'SetBudget', scope: 'org', limit: 100, window: 'day', timeZone: 'UTC', mode: 'hard' },
    { type: 'RemoveBudget', scope: 'org' },
    { type: 'FreezeAccount', reason: 'review' },
    { type: 'UnfreezeAccount', reason: 'fine' },
    change('in_2', 20, -1000),
    change('in_3', 30, 3000),
    { type: 'SettlePayment', paymentReference: 'in_1', version: 1, paid: 49_000, claims: [refund] },
    { type: 'SettlePayment', paymentReference: 'in_1', version: 2, paid: 49_000, claims: [refund, rest] },
    { type: 'SettlePayment', paymentReference: 'in_1', version: 3, paid: 49_000, claims: [refund] },
    { type: 'EndSubscription', subscriptionId, endedAt: '2027-02-01T00:00:00.000Z' },
  ].map((command) => ({ paymentReference: 'in_1', ...command }));
  for (const [index, command] of commands.entries())
    expect(world.writer.decide('account-subscriber', command, at(index * 60))).not.toEqual([]);
}

/** Random lives of several accounts, written to the log. */
async function writeLives(accounts: number, length: number, seed: number): Promise<string> {
  const lives = fc.sample(stepsWithClaims(length), { numRuns: accounts, seed });
  let newest = at(0);
  for (const [index, life] of lives.entries()) {
    const stream = `account-${['plain', 'with.dots', `Odd:id@${String(index)}`][index % 3]!}${String(index)}${index % 3 === 1 ? '.credits' : ''}`;
    const names = new Map<string, string>();
    let [now, books] = [at(0), emptyBooks()];
    for (const step of life) {
      now = instantOf(msOf(now) + step.wait);
      const command = resolve(step.draft, booksAt(books, now), now);
      books = runModel(books, command, now).books;
      const real = Object.fromEntries(
        Object.entries(command).map(([key, value]) => [
          key,
          typeof value === 'string' ? (names.get(value) ?? value) : value,
        ]),
      );
      // What one customer sends another is received once: by no other account.
      if (command.type === 'ReceiveTransfer' || command.type === 'FollowClaims')
        real['transferId'] = `${command.transferId}-${String(index)}`;
      for (const event of world.writer.decide(stream, { ...real, type: command.type }, now)) {
        const [prefix, id] =
          event.type === 'CreditsGranted'
            ? ['gr', event.grantId]
            : event.type === 'CreditsConsumed' || event.type === 'HoldCaptured'
              ? ['con', event.consumptionId]
              : event.type === 'CreditsHeld' && event.owner === 'caller'
                ? ['hold', event.holdId]
                : event.type === 'TransferSent'
                  ? ['tr', event.transferId]
                  : ['', ''];
        if (prefix !== '')
          names.set(
            `${prefix}#${String([...names.keys()].filter((name) => name.startsWith(`${prefix}#`)).length)}`,
            id,
          );
      }
    }
    if (now > newest) newest = now;
  }
  writeSubscriber();
  await world.writer.flush();
  return newest;
}

describe('the read models', () => {
  it('equal the independent fold of the log, and every balance equals the ledger at every instant', async () => {
    const newest = await writeLives(120, 40, 7);
    world.work();
    await world.reached(await world.store.head());
    const kinds = new Set(world.log.events.map(({ type }) => type));
    for (const type of Object.keys(balances.handlers)) expect(kinds).toContain(type);
    expect(await world.differences()).toEqual([]);
    const reader = new BalanceReader(world.db, world.accounts);
    for (const stream of world.writer.streams) {
      const state = world.writer.account(stream);
      if (!state.opened) continue;
      for (const wait of [0, 1, 3_600_000, 86_400_000, 40 * 86_400_000]) {
        const now = msOf(newest) + wait;
        const expected = accountAt(state, instantOf(now)).balance;
        const [one, other] = await Promise.all([
          balanceOf(world.db, world.accounts, state, now),
          reader.balanceOf(state.customerId, state.unit, now),
        ]);
        expect(one).toMatchObject({ ...expected, customerId: state.customerId, unit: state.unit });
        expect(other).toEqual(one);
      }
    }
  });

  it('that somebody changed by hand are found out, value by value', async () => {
    await writeLives(10, 20, 3);
    world.work();
    await world.reached(await world.store.head());
    await world.db.query({
      text: `update scrip_read.account_balances_g1 set available = available + 1 where stream like 'account-plain%'`,
    });
    await world.db.query({ text: `delete from scrip_read.history_g1 where type = 'granted'` });
    await world.db.query({ text: `insert into scrip_read.customers_g1 values ('stranger', '', null, null, 1)` });
    const found = await world.compare();
    const of = (name: string) => found.find(({ projection }) => projection === name)!.differences;
    expect(of('balances')[0]).toMatchObject({ table: 'account_balances', column: 'available' });
    expect(of('history')[0]).toMatchObject({ table: 'history', column: '*', found: null });
    expect(of('customers')[0]).toMatchObject({ table: 'customers', column: 'count(*)' });
    expect(of('claims')).toEqual([]);
  });

  it('are compared in several passes just the same', async () => {
    await writeLives(12, 15, 5);
    world.work();
    const head = await world.store.head();
    await world.reached(head);
    const compared = await compareProjections(world.store, world.db, ledgerCodec.decode, projections, {
      rowsPerPass: 7,
    });
    expect(compared.flatMap(({ differences }) => differences)).toEqual([]);
    await world.db.query({ text: `update scrip_read.grants_g1 set free = free + 1 where free > 0` });
    const [spoilt] = await compareProjections(world.store, world.db, ledgerCodec.decode, [balances], {
      rowsPerPass: 7,
    });
    expect(spoilt!.differences.length).toBeGreaterThan(0);
  });

  it('tell how far they are', async () => {
    await world.writer.run('account-acme', grant(100), at(0));
    const before = (await projectionStatus(world.db, world.store, msOf(at(90)))).find(
      ({ name }) => name === 'balances',
    )!;
    expect(before).toMatchObject({ state: 'running', role: 'live', version: balances.version, lagSeconds: 90 });
    world.work();
    const head = await world.store.head();
    await world.reached(head);
    expect(await waitForPosition(world.db, 'balances', (BigInt(head) + 1n).toString().padStart(19, '0'), 60)).toBe(
      'behind',
    );
    expect(await waitForPosition(world.db, 'no-such', head, 30)).toBe('behind');
    const after = (await projectionStatus(world.db, world.store, msOf(at(90)))).find(
      ({ name }) => name === 'balances',
    )!;
    expect(after).toMatchObject({ position: head, head, lagSeconds: 0 });
  });

  it('give back the write that a caller waits for', async () => {
    world.work();
    for (let round = 1; round <= 20; round += 1) {
      await world.writer.run('account-acme', grant(1), at(round));
      const head = await world.store.head();
      expect(await waitForPosition(world.db, 'balances', head, 5000)).toBe('reached');
      const balance = await balanceOf(world.db, world.accounts, { customerId: 'acme', unit: 'credits' }, msOf(at(60)));
      expect(balance!.available).toBe(round);
      expect(balance!.asOf.position >= head).toBe(true);
    }
  });
});

describe('workers', () => {
  it('on one database do not double anything: one works, the other takes over when it ends', async () => {
    const first = world.work();
    world.work();
    await world.writer.run('account-acme', grant(1000), at(0));
    for (let round = 0; round < 30; round += 1) await world.writer.run('account-acme', consume(1), at(round));
    await world.reached(await world.store.head());
    await first.stop();
    await world.writer.run('account-acme', consume(1), at(60));
    const started = Date.now();
    await world.reached(await world.store.head());
    expect(Date.now() - started).toBeLessThan(3000);
    expect(await world.differences()).toEqual([]);
  });

  it('survive the loss of their connections in the middle of everything', async () => {
    world.work();
    world.work();
    await world.writer.run('account-acme', grant(100_000), at(0));
    for (let round = 0; round < 12; round += 1) {
      for (let step = 0; step < 40; step += 1)
        world.writer.decide(`account-acme`, consume(1, { resource: { type: 'lead', id: String(step) } }), at(round));
      await world.writer.flush();
      await world.db.query({
        text: `select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and application_name like 'scrip lock projection%'`,
      });
      await world.clock.sleep(60);
    }
    await world.reached(await world.store.head());
    expect(await world.differences()).toEqual([]);
  });

  it('that were overtaken write nothing more', async () => {
    const worker = world.work([historyProjection]);
    await world.writer.run('account-acme', grant(5), at(0));
    await world.reached(await world.store.head(), ['history']);
    // Somebody else has applied the next event already.
    const next = (BigInt(await world.store.head()) + 1n).toString();
    await world.db.query({
      text: `update scrip_read.projection_checkpoints set position = $1 where name = 'history'`,
      values: [next],
    });
    await world.writer.run('account-acme', consume(1), at(1));
    await world.writer.run('account-acme', consume(2), at(2));
    await world.reached(await world.store.head(), ['history']);
    const { data } = await historyOf(world.db, { customerId: 'acme', unit: 'credits' }, 10, { cursor: null });
    expect(data.map(({ amount }) => amount)).toEqual([-2, 5]);
    expect(worker.reports.some(({ reason }) => reason.startsWith('Fenced'))).toBe(true);
  });
});

describe('an event that cannot be applied', () => {
  const halted = (name: string) =>
    world.eventually(async () => (await world.generations(name)).find(({ state }) => state === 'halted'));

  it.each([
    ['of an unknown type', { type: 'CreditsTeleported', data: '{}' }, /unknown event type/],
    ['that is not JSON', { type: 'CreditsGranted', data: '{"grantId":' }, /not a JSON object/],
    ['of a later schema version', { type: 'CreditsGranted', data: '{}', schemaVersion: 99 }, /schema version 99/],
    [
      'that breaks the rules',
      {
        type: 'CreditsExpired',
        data: '{"at":"2026-11-01T00:00:00.000Z","balance":{"available":0,"held":0,"debt":0},"grantId":"gr_none","amount":5,"cost":null}',
      },
      /no grant gr_none/,
    ],
  ])('halts there, everything before it applied: %s', async (_what, event, reason) => {
    world.work();
    for (let round = 0; round < 5; round += 1) await world.writer.run('account-acme', grant(1), at(round));
    const before = await world.store.head();
    const position = await world.writer.appendRaw('account-acme', event);
    await world.writer.run('account-other', grant(7), at(9));
    const stopped = await halted('balances');
    expect(stopped).toMatchObject({ position: before, haltedPosition: position });
    expect(stopped.haltedReason).toMatch(reason);
    // The others go on, past the event and past what follows it.
    await world.reached(await world.store.head(), ['catalogue', 'parked-events', 'command-keys']);
    expect(
      (await balanceOf(world.db, world.accounts, { customerId: 'acme', unit: 'credits' }, msOf(at(60))))!.available,
    ).toBe(5);
  });

  it('is tried again when somebody asks, and after a restart', async () => {
    let broken = true;
    const decode = (stored: Parameters<typeof ledgerCodec.decode>[0]) =>
      broken && stored.type === 'CreditsConsumed' ? { undecodable: 'not yet' } : ledgerCodec.decode(stored);
    const worker = world.work(projections, decode as typeof ledgerCodec.decode);
    await world.writer.run('account-acme', grant(10), at(0));
    await world.writer.run('account-acme', consume(3), at(1));
    const halts = (): readonly string[] =>
      worker.reports.filter(({ kind }) => kind === 'halted').map(({ projection }) => projection);
    await world.eventually(() => Promise.resolve(halts().length === 4));
    expect(halts().toSorted()).toEqual(['balances', 'claims', 'grant-uses', 'history']);
    broken = false;
    expect(await resumeProjection(world.db, 'balances')).toBe('resumed');
    expect(await resumeProjection(world.db, 'balances')).toBe('running');
    expect(await resumeProjection(world.db, 'nothing')).toBe(null);
    await world.reached(await world.store.head(), ['balances']);
    await worker.stop();
    world.work();
    await world.reached(await world.store.head());
    expect(await world.differences()).toEqual([]);
  });
});

describe('a rebuild', () => {
  it('happens beside the live tables, under traffic, and readers never see a hole', async () => {
    world.work();
    await world.writer.run('account-acme', grant(1_000_000), at(0));
    for (let step = 0; step < 3000; step += 1) world.writer.decide('account-acme', consume(1), at(step));
    await world.reached(await world.writer.flush());
    let [reading, spent, reads] = [true, 0, 0];
    const seen = (async () => {
      for (let lowest = 1_000_000 - 3000; reading; reads += 1) {
        const balance = await balanceOf(
          world.db,
          world.accounts,
          { customerId: 'acme', unit: 'credits' },
          msOf(at(9999)),
        );
        const page = await historyOf(world.db, { customerId: 'acme', unit: 'credits' }, 5, { offset: 0 });
        expect(balance!.available).toBeLessThanOrEqual(lowest);
        expect(page.total).toBeGreaterThanOrEqual(3001);
        lowest = balance!.available;
      }
    })();
    expect(await requestRebuild(world.db, 'balances')).toBe(true);
    expect(await requestRebuild(world.db, 'history')).toBe(true);
    expect(await requestRebuild(world.db, 'no-such')).toBe(false);
    const live = () =>
      world.eventually(async () => {
        spent += 1;
        await world.writer.run('account-acme', consume(1), at(3000 + spent));
        const all = [...(await world.generations('balances')), ...(await world.generations('history'))];
        return all.length === 2 && all.every(({ generation, role }) => generation === 2 && role === 'live') && all;
      });
    expect((await live()).every(({ rebuildRequested }) => !rebuildRequested)).toBe(true);
    await world.reached(await world.store.head());
    reading = false;
    await seen;
    expect(reads).toBeGreaterThan(5);
    expect(await world.differences()).toEqual([]);
    const tables = await world.db.query<{ name: string }>({
      text: `select tablename as name from pg_tables where schemaname = 'scrip_read' and tablename like '%\\_g1'`,
    });
    expect(tables.map(({ name }) => name)).not.toEqual(expect.arrayContaining(['account_balances_g1']));
  });

  it('that is interrupted goes on where it was', async () => {
    await world.writer.run('account-acme', grant(1_000_000), at(0));
    for (let step = 0; step < 200; step += 1) world.writer.decide('account-acme', consume(1), at(step));
    const first = world.work();
    await world.reached(await world.writer.flush());
    await requestRebuild(world.db, 'balances');
    await world.eventually(async () => (await world.generations('balances')).length === 2);
    await first.stop();
    world.work();
    await world.eventually(async () =>
      (await world.generations('balances')).every(({ generation }) => generation === 2),
    );
    expect(await world.differences()).toEqual([]);
  });

  it('follows a higher version of the code; the old code then stands back', async () => {
    const old = world.work();
    await world.writer.run('account-acme', grant(10), at(0));
    await world.reached(await world.store.head());
    const table = historyProjection.tables[0]!;
    const wider = { ...table, columns: { ...table.columns, extra: 'text?' as const } };
    const newer = [{ ...historyProjection, version: historyProjection.version + 1, tables: [wider] }];
    world.work(newer);
    await world.eventually(async () =>
      (await world.generations('history')).every(({ version }) => version > historyProjection.version),
    );
    await world.writer.run('account-acme', consume(4), at(1));
    await world.reached(await world.store.head());
    // A prepared or repeated query of older code goes on working on the new tables.
    const { data } = await historyOf(world.db, { customerId: 'acme', unit: 'credits' }, 10, { cursor: null });
    expect(data.map(({ amount, balanceAfter }) => [amount, balanceAfter])).toEqual([
      [-4, 6],
      [10, 10],
    ]);
    expect(await world.differences(newer)).toEqual([]);
    expect(old.reports.filter(({ kind }) => kind === 'halted')).toEqual([]);
  });

  it('that would show something else than the log is not switched to', async () => {
    await world.writer.run('account-acme', grant(10), at(0));
    world.work();
    await world.reached(await world.store.head());
    const lying = {
      ...historyProjection,
      version: historyProjection.version + 1,
      open: () => ({ apply: () => Promise.resolve() }),
    };
    world.work([lying]);
    const stopped = await world.eventually(async () =>
      (await world.generations('history')).find(({ state }) => state === 'halted'),
    );
    expect(stopped).toMatchObject({ role: 'building', generation: 2 });
    expect(stopped.haltedReason).toMatch(/differ from the fold of the log, first in history/);
    expect(
      (await historyOf(world.db, { customerId: 'acme', unit: 'credits' }, 10, { cursor: null })).data,
    ).toHaveLength(1);
  });
});

it.each([
  ['shortly where it has rows to write', historyProjection, 20],
  ['longer where it only moves its checkpoint', catalogueProjection, 80],
])('a projection of a busy log rests between its batches, %s', async (_, projection, rest) => {
  const sleep = jest.spyOn(world.clock, 'sleep');
  const worker = world.work([projection]);
  await world.writer.run('account-acme', grant(1000), at(0));
  const rested = (): readonly number[] => sleep.mock.calls.map(([ms]) => ms).filter((ms) => ms === 20 || ms === 80);
  for (let n = 1; rested().length < 3; n += 1) {
    await world.writer.run('account-acme', consume(1), at(n));
    await new Promise((next) => setTimeout(next, 3));
  }
  await worker.stop();
  expect(new Set(rested())).toEqual(new Set([rest]));
});

it('migrations can run many times at once', async () => {
  await Promise.all(
    [1, 2, 3, 4].flatMap(() => [migrateRecords(world.url), migrateReadModels(world.url, world.clock, projections)]),
  );
  expect(await world.generations('balances')).toHaveLength(1);
});
