import { beforeEach, describe, expect, it } from '@jest/globals';
import { InMemoryEventStore, InMemoryLog } from '#event-store/in-memory.js';
import { CommandHandler } from '#event-store/writing/command-handler.js';
import type { CommandRequest } from '#event-store/writing/command.js';
import { metadataOf } from '#event-store/port/event-store.js';
import { accountDecider, conservationOf } from '#ledger/account/account.js';
import type { AccountCommand } from '#ledger/account/commands.js';
import { ledgerCodec } from '#ledger/events.js';
import { LogAudit } from '#audit/log-audit.js';
import { consume, grant } from '../support/ledger/account-commands.js';
import { ManualClock } from '../support/worlds/manual-clock.js';

const stream = 'account-acme';
const noon = '2026-10-01T12:00:00.000Z';
const hourBack = '2026-10-01T11:00:00.000Z';
const hourAhead = '2026-10-01T13:00:00.000Z';

const grantUntil = (amount: number, expiresAt: string | null): AccountCommand => grant(amount, { expiresAt });

describe('processes whose clocks disagree', () => {
  let log: InMemoryLog;
  let keys: number;

  beforeEach(() => {
    log = new InMemoryLog();
    keys = 0;
  });

  /** Another process over the same log, by a clock of its own. */
  function processAt(instant: string) {
    const clock = new ManualClock(Date.parse(instant));
    const handler = new CommandHandler(accountDecider, {
      store: new InMemoryEventStore(log),
      snapshots: null,
      keys: null,
      clock,
      codec: ledgerCodec,
    });
    const run = (command: AccountCommand, key = `k-${String((keys += 1))}`) =>
      handler.execute({
        stream,
        command,
        key,
        origin: 'api',
        fingerprint: JSON.stringify(command),
        actor: 'key:test',
        causationId: null,
        correlationId: 'clock',
      } satisfies CommandRequest<AccountCommand>);
    return { clock, handler, run };
  }

  const events = () => new InMemoryEventStore(log).readStream(stream, 0, 1_000);

  async function expectSound(): Promise<void> {
    const times = (await events()).map((event) => metadataOf(event).recordedAt);
    expect(times).toEqual([...times].sort());
    const audit = new LogAudit({ contiguous: true });
    audit.add(await events());
    expect(audit.report().findings).toEqual([]);
    expect(conservationOf((await processAt(noon).handler.load(stream)).state).violations).toEqual([]);
  }

  it('an hour apart write one account in one order of time, and lose nothing', async () => {
    const [late, right, early] = [processAt(hourBack), processAt(noon), processAt(hourAhead)];
    expect((await right.run(grantUntil(100, null))).kind).toBe('recorded');
    for (let round = 0; round < 5; round += 1)
      for (const { run } of [early, late, right]) expect((await run(consume(1))).kind).toBe('recorded');
    expect(await events()).toHaveLength(17); // the account's opening, the grant, 15 consumptions
    await expectSound();
  });

  it('and one whose clock jumps back 10 s goes on from the time of the log', async () => {
    const { clock, run } = processAt(noon);
    await run(grantUntil(100, null));
    clock.set('2026-10-01T11:59:50.000Z');
    expect((await run(consume(1))).kind).toBe('recorded');
    const times = (await events()).map((event) => metadataOf(event).recordedAt);
    expect(new Set(times)).toEqual(new Set([noon]));
    await expectSound();
  });

  it('expire credits by the time of the log: what the one ahead has seen expire, the one behind cannot spend', async () => {
    const [late, early] = [processAt(hourBack), processAt(hourAhead)];
    await late.run(grantUntil(50, noon));
    await late.run(grantUntil(10, null));
    expect((await early.run(consume(1))).kind).toBe('recorded'); // 13:00 in the log: the 50 are gone
    expect((await late.run(consume(20))).kind).toBe('refused');
    expect((await late.run(consume(9))).kind).toBe('recorded');
    await expectSound();
  });

  it('give one answer to one key', async () => {
    const [late, early] = [processAt(hourBack), processAt(hourAhead)];
    await late.run(grantUntil(50, null));
    const first = await early.run(consume(5), 'once');
    const again = await late.run(consume(5), 'once');
    expect([first.kind, again.kind]).toEqual(['recorded', 'recorded']);
    if (first.kind === 'recorded' && again.kind === 'recorded') {
      expect(again.replayed).toBe(true);
      expect(again.events).toEqual(first.events);
    }
    await expectSound();
  });
});
