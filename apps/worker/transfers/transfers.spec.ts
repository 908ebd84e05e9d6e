import { expect, test } from '@jest/globals';
import { ledgerHandlers, type LedgerHandlers } from '#composition/ledger-handlers.js';
import { CheckpointMoved } from '#consuming/checkpoint.js';
import { InMemoryEventStore } from '#event-store/in-memory.js';
import { metadataOf, START } from '#event-store/port/event-store.js';
import { customerStream } from '#kernel/stream-name.js';
import type { AccountCommand } from '#ledger/account/commands.js';
import { LogAudit } from '#audit/log-audit.js';
import { grant } from '../../../test/support/ledger/account-commands.js';
import { InMemoryCheckpoint } from '../../../test/support/worlds/in-memory-checkpoint.js';
import { byTest, drained } from '../../../test/support/worlds/inbox-world.js';
import { ManualClock } from '../../../test/support/worlds/manual-clock.js';
import { TryAgainLater } from '../outcomes.js';
import { Transfers } from './transfers.js';

class World {
  readonly store = new InMemoryEventStore();
  readonly handlers: LedgerHandlers = ledgerHandlers({
    store: this.store,
    snapshots: null,
    keys: null,
    clock: new ManualClock(),
  });
  readonly checkpoint = new InMemoryCheckpoint();
  transfers = this.worker();

  worker(checkpoint = this.checkpoint): Transfers {
    return new Transfers({ handlers: this.handlers, checkpoint });
  }

  async run(customerId: string, ...commands: readonly AccountCommand[]): Promise<void> {
    for (const command of commands) {
      const { kind } = await this.handlers.account.execute({ ...byTest, stream: `account-${customerId}`, command });
      expect(kind).toBe('recorded');
    }
  }

  async available(...customerIds: readonly string[]): Promise<readonly number[]> {
    const loaded = customerIds.map((id) => this.handlers.account.load(`account-${id}`));
    return (await Promise.all(loaded)).map(({ state }) => state.balance.available);
  }

  /** The types of all events of transfers; the log must be in order. */
  async story(): Promise<readonly string[]> {
    const log = await this.store.readAll(START, 10_000);
    const audit = new LogAudit({ contiguous: false });
    audit.add(log);
    expect(audit.report().findings).toEqual([]);
    return log.filter(({ type }) => type.startsWith('Transfer')).map(({ stream, type }) => `${stream} ${type}`);
  }
}

const bought = grant(100, { costBasis: { amount: 1000, currency: 'usd' }, paymentReference: 'pi_1' });
const transfer = (amount: number, toCustomerId: string): AccountCommand => ({
  type: 'TransferCredits',
  toCustomerId,
  amount,
  reason: null,
  receiver: 'ready',
});
const close = { type: 'CloseAccount', reason: 'left' } as const;
const refunded = (amount: number, version: number): AccountCommand => ({
  type: 'SettlePayment',
  paymentReference: 'pi_1',
  version,
  paid: 1000,
  claims: [{ cause: { kind: 'refund', id: 're_1' }, state: 'taken', amount, since: '2026-10-01T00:00:00.000Z' }],
});

test('credits arrive, and what is claimed of them follows, caused by the events that ask for it', async () => {
  const world = new World();
  await world.run('ada', bought, transfer(60, 'bob'), refunded(700, 1));
  await drained(world.store, world.transfers, 100);
  expect(await world.available('ada', 'bob')).toEqual([0, 30]);
  expect(await world.story()).toEqual([
    'account-ada TransferSent',
    'account-ada TransferClaimed',
    'account-bob TransferReceived',
  ]);
  const log = await world.store.readAll(START, 1000);
  const sent = log.find(({ type }) => type === 'TransferSent');
  const received = log.filter(({ type }) => type === 'TransferReceived').map(metadataOf);
  expect(received).toMatchObject([{ causationId: sent?.id, commandKey: sent?.id, actor: 'transfers' }]);
});

test('credits come back from a closed account and from a customer who was erased', async () => {
  const world = new World();
  const { handlers } = world;
  for (const type of ['RegisterCustomer', 'EraseCustomer'] as const)
    await handlers.customer.execute({
      ...byTest,
      stream: customerStream('carl'),
      command: { type, customerId: 'carl' },
    });
  await world.run('bob', close);
  await world.run('ada', bought, transfer(10, 'bob'), transfer(20, 'carl'));
  await drained(world.store, world.transfers, 100);
  expect(await world.available('ada', 'bob', 'carl')).toEqual([100, 0, 0]);
  const log = await world.store.readAll(START, 1000);
  const because = log
    .filter(({ type }) => type === 'TransferReturned')
    .map(({ data }) => (JSON.parse(data) as { because: string }).because);
  expect(because).toEqual(['account_closed', 'customer_erased']);
  expect(await world.story()).toHaveLength(4);
});

test.each(['arrives', 'comes back'])('a transfer that %s does so once, wherever the worker dies', async (how) => {
  for (const stopAt of [1, 2, 3, 4]) {
    const world = new World();
    const execute = world.handlers.account.execute.bind(world.handlers.account);
    await world.run('ada', bought, transfer(60, 'bob'), transfer(5, 'bob'), refunded(970, 1));
    if (how === 'comes back') await world.run('bob', close);
    let calls = 0;
    // Dies when the command is in the log and before anybody knows.
    world.handlers.account.execute = async (request) => {
      const outcome = await execute(request);
      calls += 1;
      return calls === stopAt ? { kind: 'outcome_unknown' } : outcome;
    };
    await expect(drained(world.store, world.transfers, 100)).rejects.toThrow(TryAgainLater);
    expect(await world.checkpoint.read()).toBe(START);
    await drained(world.store, world.worker(), 100);
    await drained(world.store, world.worker(new InMemoryCheckpoint()), 1);
    expect(await world.available('ada', 'bob')).toEqual(how === 'arrives' ? [0, 3] : [3, 0]);
    expect((await world.story()).filter((line) => !line.endsWith('TransferClaimed'))).toHaveLength(4);
  }
});

test('one that was overtaken moves nothing', async () => {
  const world = new World();
  await world.run('ada', bought, transfer(60, 'bob'));
  const batch = await world.store.readAll(START, 1000);
  await drained(world.store, world.transfers, 100);
  await expect(world.worker().process(START, batch)).rejects.toThrow(CheckpointMoved);
  expect(await world.available('bob')).toEqual([60]);
});
