import { describe, expect, it } from '@jest/globals';
import { isRefused } from '#kernel/decider.js';
import { instantOf, msOf } from '#kernel/instant.js';
import { chainHash, encodeEvent, ZERO_HASH } from '#event-store/port/encode-event.js';
import { positionOf, type RecordedEvent } from '#event-store/port/event-store.js';
import type { AccountCommand } from '#ledger/account/commands.js';
import type { AccountEvent } from '#ledger/account/events.js';
import { accountDecider } from '#ledger/account/account.js';
import { dataToStore } from '#ledger/events.js';
import { LogAudit, type LogReport } from './log-audit.js';
import { goldenLogs } from '../../test/support/ledger/golden-events.js';
import { consume, grant, hold } from '../../test/support/ledger/account-commands.js';

const day = 86_400_000;

/** A log as the write path makes it, of accounts only. */
class Log {
  readonly events: RecordedEvent[] = [];
  readonly #accounts = new Map<string, { state: ReturnType<typeof accountDecider.initial>; past: AccountEvent[] }>();
  #now = msOf('2026-01-01T00:00:00.000Z');

  later(ms: number): this {
    this.#now += ms;
    return this;
  }

  run(stream: string, command: AccountCommand): this {
    const account = this.#accounts.get(stream) ?? { state: accountDecider.initial(stream), past: [] };
    this.#accounts.set(stream, account);
    const needed = accountDecider.needs?.(account.state, command) ?? null;
    const decision = accountDecider.decide(accountDecider.fork(account.state), command, {
      at: instantOf(this.#now),
      revision: account.past.length,
      commandId: `00000000-0000-5000-8000-${String(this.events.length).padStart(12, '0')}`,
      past: needed === null ? null : (account.past[needed] ?? null),
    });
    if (isRefused(decision)) throw new Error(decision.rejected);
    for (const event of decision) {
      account.state = accountDecider.evolve(account.state, event, account.past.length);
      this.#append(stream, account.past.length, event);
      account.past.push(event);
    }
    return this;
  }

  #append(stream: string, revision: number, event: AccountEvent): void {
    const prevHash = this.events.findLast((other) => other.stream === stream)?.hash ?? ZERO_HASH;
    const encoded = encodeEvent(stream, revision, prevHash, {
      id: `00000000-0000-5000-8000-${String(this.events.length).padStart(12, '0')}`,
      type: event.type,
      schemaVersion: 1,
      data: dataToStore(event),
      metadata: {
        commandKey: null,
        commandHash: null,
        causationId: null,
        correlationId: 'c',
        actor: 'cli',
        recordedAt: event.at,
      },
    });
    this.events.push({ ...encoded, stream, revision, position: positionOf(this.events.length + 1) });
  }
}

const bought = (amount: number, expiresInDays: number | null = null, paid: number | null = null): AccountCommand =>
  grant(amount, {
    expiresAt: expiresInDays === null ? null : instantOf(msOf('2026-01-01T00:00:00.000Z') + expiresInDays * day),
    costBasis: paid === null ? null : { amount: paid, currency: 'usd' },
    paymentReference: 'pi_1',
  });

/** Every kind of movement, on two accounts. */
function busyLog(): Log {
  const log = new Log();
  log
    .run('account-a', bought(100, 10, 999))
    .run('account-b', bought(50))
    .run('account-a', bought(30));
  log.later(day).run('account-a', consume(33)).run('account-b', hold(20));
  const last = (type: string): AccountEvent =>
    JSON.parse(log.events.findLast((event) => event.type === type)?.data ?? '{}') as AccountEvent;
  const held = last('CreditsHeld') as Extract<AccountEvent, { type: 'CreditsHeld' }>;
  log.run('account-b', { type: 'CaptureHold', holdId: held.holdId, amount: 5, final: false });
  log.run('account-b', { type: 'CaptureHold', holdId: held.holdId, amount: 5, final: true });
  const consumed = last('CreditsConsumed') as Extract<AccountEvent, { type: 'CreditsConsumed' }>;
  log.run('account-a', { type: 'ReverseConsumption', consumptionId: consumed.consumptionId, amount: 10, reason: null });
  log.run('account-a', { type: 'ChangeSettings', overdraftLimit: 500 }).run('account-a', consume(200));
  log
    .later(20 * day)
    .run('account-a', bought(300, 60))
    .run('account-b', { type: 'AdjustCredits', amount: -4, reason: 'x' });
  return log.run('account-b', { type: 'FreezeAccount', reason: 'x' });
}

function audit(events: readonly RecordedEvent[], contiguous = true): LogReport {
  const audit = new LogAudit({ contiguous });
  audit.add(events);
  return audit.report();
}

/** The event as its writer would have made it, had it had these bytes: every hash of the stream fits again. */
function rechained(events: readonly RecordedEvent[], changed: number, data: string): RecordedEvent[] {
  const heads = new Map<string, string>();
  return events.map((event, index) => {
    const prevHash = heads.get(event.stream) ?? ZERO_HASH;
    const bare = { ...event, prevHash, data: index === changed ? data : event.data };
    const hash = chainHash(event.stream, event.revision, bare);
    heads.set(event.stream, hash);
    return { ...bare, hash };
  });
}

describe('an audit of a log', () => {
  const { events } = busyLog();
  const at = (type: string): number => events.findIndex((event) => event.type === type);

  it('finds nothing in a sound log, and sums it up', () => {
    const report = audit(events);
    expect(report).toMatchObject({ events: events.length, streams: 2, accounts: 2, findings: [], findingsTotal: 0 });
    const { credits } = report.totals;
    expect(credits?.granted).toBe('480');
    const parts = [
      'scheduled',
      'available',
      'held',
      'consumed',
      'expired',
      'revoked',
      'repaid',
      'transferred',
    ] as const;
    expect(parts.reduce((sum, part) => sum + Number(credits?.[part]), 0)).toBe(480);
  });

  it('is tried on most kinds of movement', () => {
    expect(new Set(events.map(({ type }) => type))).toEqual(
      new Set([
        'AccountOpened',
        'CreditsGranted',
        'CreditsConsumed',
        'CreditsHeld',
        'HoldCaptured',
        'HoldReleased',
        'ConsumptionReversed',
        'OverdraftLimitChanged',
        'DebtIncurred',
        'DebtRepaid',
        'CreditsRevoked',
        'AccountFrozen',
      ]),
    );
  });

  it.each([
    ['data', (event: RecordedEvent) => ({ ...event, data: event.data.replace(/"amount":(\d+)/, '"amount":1$1') })],
    ['metadata', (event: RecordedEvent) => ({ ...event, metadata: event.metadata.replace('cli', 'api') })],
    ['type', (event: RecordedEvent) => ({ ...event, type: 'AccountOpened' })],
    ['id', (event: RecordedEvent) => ({ ...event, id: event.id.replace(/.$/, 'f') })],
    ['schema version', (event: RecordedEvent) => ({ ...event, schemaVersion: 2 })],
    [
      'hash',
      (event: RecordedEvent) => ({ ...event, hash: event.hash.replace(/^./, (digit) => (digit === '0' ? '1' : '0')) }),
    ],
  ])('names the event whose %s was changed', (_what, change) => {
    const index = at('CreditsConsumed');
    const [first] = audit(events.map((event, i) => (i === index ? change(event) : event))).findings;
    expect(first).toMatchObject({
      position: positionOf(index + 1),
      stream: 'account-a',
      problem: 'the hash does not fit the content',
    });
  });

  it('names the event after one that is missing', () => {
    const index = at('CreditsConsumed');
    const [first] = audit(events.toSpliced(index, 1)).findings;
    expect(first).toMatchObject({ position: positionOf(index + 2), problem: expect.stringContaining('missing') });
    const [inStream] = audit(events.toSpliced(index, 1), false).findings;
    expect(inStream).toMatchObject({ stream: 'account-a', problem: expect.stringContaining('revision') });
  });

  it('names two events that changed places', () => {
    const [a, b] = [events[4], events[5]];
    expect(audit(events.with(4, b!).with(5, a!)).findings[0]).toMatchObject({ position: b!.position });
  });

  it.each([
    [
      'a balance',
      'CreditsConsumed',
      (data: string) => data.replace(/"available":(\d+)/, '"available":1$1'),
      'available',
    ],
    ['a slice', 'CreditsConsumed', (data: string) => data.replace(/"amount":(\d+)/, '"amount":1$1'), 'sum up'],
    ['a grant', 'CreditsGranted', (data: string) => data.replace(/"amount":(\d+)/, '"amount":1$1'), 'available'],
    ['a time', 'CreditsConsumed', (data: string) => data.replace('2026-01', '2025-01'), 'time'],
    [
      'a cost',
      'CreditsConsumed',
      (data: string) => data.replace(/"cost":\{"amount":(\d+)/, '"cost":{"amount":9$1'),
      'cost',
    ],
    ['a debt', 'DebtRepaid', (data: string) => data.replace(/"amount":(\d+)/, '"amount":1$1'), 'below zero'],
    [
      'a hold',
      'HoldCaptured',
      (data: string) => data.replace(/"remaining":(\d+)/, '"remaining":1$1'),
      'left of the hold',
    ],
    ['the shape', 'CreditsConsumed', () => '{"at":"2026-01-05T00:00:00.000Z"}', 'shape'],
    ['everything', 'CreditsConsumed', () => 'null', 'JSON'],
  ])('sees %s that contradicts the books, though every hash fits', (_what, type, change, problem) => {
    const index = at(type);
    const [first] = audit(rechained(events, index, change(events[index]!.data))).findings;
    expect(first).toMatchObject({ position: positionOf(index + 1), problem: expect.stringContaining(problem) });
  });

  it('sees credits spent after they expired, though every hash fits', () => {
    const index = at('CreditsGranted');
    const data = events[index]!.data.replace(/"expiresAt":"2026-01-11/, '"expiresAt":"2026-01-02');
    const [first] = audit(rechained(events, index, data)).findings;
    expect(first).toMatchObject({ problem: expect.stringContaining('after it expired') });
  });

  it('sees uses that do not add up, though every hash fits', () => {
    const golden = goldenLogs.find((log) => log.at(-1)?.type === 'UsageRecorded') ?? [];
    expect(audit(golden).findings).toEqual([]);
    const index = golden.length - 1;
    const data = golden[index]!.data.replace('"quantity":3', '"quantity":4');
    const [first] = audit(rechained(golden, index, data)).findings;
    expect(first).toMatchObject({ stream: 'usage-acme', problem: expect.stringContaining('sum up to 6') });
    const [shapeless] = audit(rechained(golden, index, golden[index]!.data.replace('"limits"', '"bounds"'))).findings;
    expect(shapeless).toMatchObject({ problem: expect.stringContaining('UsageRecorded does not have its shape') });
  });

  it('counts what it does not name', () => {
    const report = audit(Array.from({ length: 20 }, () => events).flat());
    expect(report.findings).toHaveLength(100);
    expect(report.findingsTotal).toBeGreaterThan(100);
  });
});
