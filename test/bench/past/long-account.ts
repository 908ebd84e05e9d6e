import { CommandHandler } from '#event-store/writing/command-handler.js';
import { openEventStore, openSnapshotStore } from '#event-store/event-store.module.js';
import { SystemClock } from '#config/system-clock.js';
import { accountDecider } from '#ledger/account/account.js';
import type { AccountCommand } from '#ledger/account/commands.js';
import type { AccountEvent } from '#ledger/account/events.js';
import { consume, grant, hold } from '../../support/ledger/account-commands.js';
import { codec, inParallel, type Handler } from '../write-path.js';

/** An account with a long past: when it began and ended (milliseconds), and the places of its events in the log. */
export type LongAccount = {
  readonly customer: string;
  readonly events: number;
  readonly begin: number;
  readonly end: number;
  readonly positions: { readonly first: number; readonly last: number };
};

/** Events of one round of an account's life. */
const roundEvents = 20;
/** Rounds that are under way at once. */
const rounds = 40;

/**
 * Writes an account as callers do: grants, consumptions, holds that are captured, and reversals, `events` of them or a few more, alone in
 * its log.
 */
export async function longAccount(url: string, customer: string, events: number): Promise<LongAccount> {
  const clock = new SystemClock();
  const store = await openEventStore({ kind: 'postgres', databaseUrl: url }, clock);
  const snapshots = await openSnapshotStore(url, clock);
  const handler: Handler = new CommandHandler(accountDecider, { store, snapshots, keys: null, clock, codec });
  const begin = clock.now();
  await round(handler, customer, 0);
  await inParallel(rounds, Math.ceil(events / roundEvents) - 1, (n) => round(handler, customer, n + 1));
  await handler.drain();
  const [first] = await store.readStream(`account-${customer}`, 0, 1);
  const head = await store.head();
  const { revision } = await handler.load(`account-${customer}`);
  await store.close();
  return {
    customer,
    events: revision + 1,
    begin,
    end: clock.now(),
    positions: { first: Number(first!.position), last: Number(head) },
  };
}

async function round(handler: Handler, customer: string, n: number): Promise<void> {
  let commands = 0;
  const run = async (command: AccountCommand): Promise<readonly AccountEvent[]> => {
    commands += 1;
    const outcome = await handler.execute({
      stream: `account-${customer}`,
      command,
      key: `${String(n)}-${String(commands)}`,
      origin: 'api',
      fingerprint: 'bench',
      actor: 'bench',
      causationId: null,
      correlationId: 'bench',
    });
    if (outcome.kind !== 'recorded') throw new Error(`a command ended ${outcome.kind}`);
    return outcome.events.map(({ event }) => event);
  };
  // A grant for each thousand rounds, as an account of some years has.
  await run(n % 1_000 === 0 ? grant(1_000_000) : consume(1));
  await Promise.all(Array.from({ length: roundEvents - 5 }, () => run(consume(3))));
  const [used] = await run(consume(5));
  if (used?.type === 'CreditsConsumed')
    await run({ type: 'ReverseConsumption', consumptionId: used.consumptionId, amount: 2, reason: null });
  const [held] = await run(hold(10));
  if (held?.type === 'CreditsHeld') await run({ type: 'CaptureHold', holdId: held.holdId, amount: 10, final: true });
}
