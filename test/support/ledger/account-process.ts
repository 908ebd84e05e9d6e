import { expect } from '@jest/globals';
import { CommandHandler } from '#event-store/writing/command-handler.js';
import type { CommandOutcome, CommandRequest } from '#event-store/writing/command.js';
import { chainHash, ZERO_HASH } from '#event-store/port/encode-event.js';
import type { EventStore } from '#event-store/port/event-store.js';
import type { KeyIndex } from '#event-store/port/key-index.js';
import type { SnapshotStore } from '#event-store/port/snapshots.js';
import type { WriteLimits } from '#event-store/writing/limits.js';
import type { AccountCommand, AccountRefusal } from '#ledger/account/commands.js';
import type { AccountEvent } from '#ledger/account/events.js';
import type { AccountState } from '#ledger/account/state.js';
import { accountDecider, conservationOf } from '#ledger/account/account.js';
import { ledgerCodec } from '#ledger/events.js';
import { ManualClock } from '../worlds/manual-clock.js';

type Handler = CommandHandler<AccountCommand, AccountEvent, AccountState, AccountRefusal>;

/** The one account that `request` is for. */
export const stream = 'account-ada';
/** The clock of every process: sleeping moves it, so no test waits. */
export const clock = new ManualClock(Date.parse('2026-01-01T00:00:00.000Z'));

/** The write path of accounts as a process of its own has it: nothing in memory. */
export const process = (
  store: EventStore,
  more: { snapshots?: SnapshotStore; keys?: KeyIndex; limits?: Partial<WriteLimits> } = {},
): Handler =>
  new CommandHandler(accountDecider, { store, snapshots: null, keys: null, clock, codec: ledgerCodec, ...more });

export const request = (
  command: AccountCommand,
  key: string | null,
  fingerprint = JSON.stringify(command),
): CommandRequest<AccountCommand> => ({
  stream,
  command,
  key,
  origin: 'api',
  fingerprint,
  actor: 'key:test',
  causationId: null,
  correlationId: 'req_1',
});

/** How many commands ended in which way. */
export function kinds(
  outcomes: readonly CommandOutcome<AccountEvent, AccountState, AccountRefusal>[],
): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const outcome of outcomes) {
    const kind = outcome.kind === 'recorded' && outcome.replayed ? 'replayed' : outcome.kind;
    counts[kind] = (counts[kind] ?? 0) + 1;
  }
  return counts;
}

/** The account as the log has it. */
export const settled = async (store: EventStore): Promise<AccountState> => (await process(store).load(stream)).state;

/** The log as every reader checks it: contiguous, chained, folding to balances that add up. */
export async function expectSound(store: EventStore): Promise<void> {
  let hash = ZERO_HASH;
  for (const [revision, event] of (await store.readStream(stream, 0, 100_000)).entries()) {
    expect(event.revision).toBe(revision);
    expect(event.prevHash).toBe(hash);
    expect(chainHash(stream, revision, event)).toBe(event.hash);
    ({ hash } = event);
  }
  expect(conservationOf(await settled(store)).violations).toEqual([]);
}
