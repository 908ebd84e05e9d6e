import type { Codec } from '#event-store/writing/command.js';
import { CommandHandler } from '#event-store/writing/command-handler.js';
import { openEventStore, openSnapshotStore } from '#event-store/event-store.module.js';
import { SystemClock } from '#config/system-clock.js';
import { accountDecider } from '#ledger/account/account.js';
import type { AccountCommand, AccountRefusal } from '#ledger/account/commands.js';
import type { AccountEvent } from '#ledger/account/events.js';
import type { AccountState } from '#ledger/account/state.js';
import { ledgerCodec } from '#ledger/events.js';
import { consume, grant } from '../support/ledger/account-commands.js';
import type { Bench, Figure } from './bench.js';
import { Histogram } from './histogram.js';

export type Handler = CommandHandler<AccountCommand, AccountEvent, AccountState, AccountRefusal>;
export const codec: Codec<AccountEvent> = ledgerCodec;
/** What an account begins with, and what it is asked for again and again. */
export const funding = grant(1_000_000_000);
export const use = consume(1);

/** Decide and append alone, without HTTP: what the rest of the server adds is the difference to consume-spread and -hot. */
export async function writePath(bench: Bench): Promise<readonly Figure[]> {
  const clock = new SystemClock();
  const url = await bench.database();
  const store = await openEventStore({ kind: 'postgres', databaseUrl: url }, clock);
  const snapshots = await openSnapshotStore(url, clock);
  const handler: Handler = new CommandHandler(accountDecider, {
    store,
    snapshots,
    keys: null,
    clock,
    codec,
  });
  const figures: Figure[] = [];
  for (const [name, customers, callers] of [
    ['spread', 10_000, 64],
    ['spread', 10_000, 512],
    ['hot', 1, 64],
    ['hot', 1, 512],
  ] as const) {
    const prefix = `${name}${String(callers)}-`;
    await inParallel(callers, customers, (n) => execute(handler, `${prefix}${String(n)}`, 'grant', funding));
    const latencies = new Histogram();
    const begin = performance.now();
    const end = begin + bench.effort.seconds * 1000;
    let done = 0;
    await Promise.all(
      Array.from({ length: callers }, async (_, caller) => {
        for (let n = 0; performance.now() < end; n += 1) {
          const from = performance.now();
          await execute(
            handler,
            `${prefix}${String((caller * 7919 + n * 104_729) % customers)}`,
            `${String(caller)}-${String(n)}`,
            use,
          );
          latencies.record((performance.now() - from) * 1000);
          done += 1;
        }
      }),
    );
    const perSecond = done / ((performance.now() - begin) / 1000);
    figures.push({
      name: `write-path ${name} ${String(callers)}`,
      value: perSecond,
      unit: 'commands/s',
      bar: null,
      detail: { latency: latencies.summary(), statistics: { ...handler.statistics } },
    });
  }
  await store.close();
  return figures;
}

export async function execute(handler: Handler, customer: string, key: string, command: AccountCommand): Promise<void> {
  const outcome = await handler.execute({
    stream: `account-${customer}`,
    command,
    key,
    origin: 'api',
    fingerprint: 'bench',
    actor: 'bench',
    causationId: null,
    correlationId: 'bench',
  });
  if (outcome.kind !== 'recorded') throw new Error(`a command ended ${outcome.kind}`);
}

export async function inParallel(callers: number, count: number, work: (n: number) => Promise<void>): Promise<void> {
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < count) await work(next++);
  };
  await Promise.all(Array.from({ length: callers }, worker));
}
