import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { InMemoryEventStore, InMemorySnapshotStore } from '../../libs/event-store/in-memory.js';
import { SystemClock } from '#config/system-clock.js';
import { CommandHandler } from '#event-store/writing/command-handler.js';
import type { Position } from '#event-store/port/event-store.js';
import { isRefused } from '#kernel/decider.js';
import { instantOf, msOf } from '#kernel/instant.js';
import { timePassed } from '#ledger/account/at.js';
import type { AccountCommand } from '#ledger/account/commands.js';
import { accountDecider, conservationOf } from '#ledger/account/account.js';
import type { Claim } from '#ledger/payment/claims.js';
import { ledgerCodec } from '#ledger/events.js';
import { balanceAt, type AccountBalance } from '../../projections/balances/queries.js';
import { PastAccounts } from '../../apps/api/accounts/reads/past-accounts.js';
import { BoundedReads } from '../../apps/api/reads/bounded-reads.js';
import { ManualClock } from '../support/worlds/manual-clock.js';

const stream = 'account-reader';
const dawn = Date.parse('2026-11-01T00:00:00.000Z');
const second = 1_000;
const day = 86_400 * second;
const annotations = { description: null, metadata: {} };
const runs = 20 * Number(process.env['PROPERTY_FACTOR'] ?? 1);

/** Few lengths, so that things fall due at one instant again and again. */
const lengths = [second, 900 * second, day, 10 * day, 30 * day];
const length = fc.constantFrom(...lengths);
const small = fc.integer({ min: 1, max: 60 });
const step = fc.record({
  wait: fc.oneof(fc.constantFrom(0, 0, 1), length),
  recordsDue: fc.boolean(),
  act: fc.oneof(
    fc.record({
      type: fc.constant('grant' as const),
      amount: small,
      start: fc.option(length),
      life: fc.option(length),
    }),
    fc.record({ type: fc.constant('month' as const), amount: small, cap: fc.option(small) }),
    fc.record({ type: fc.constant('consume' as const), amount: small }),
    fc.record({ type: fc.constant('hold' as const), amount: small, seconds: fc.constantFrom(1, 900, 86_400) }),
    fc.record({ type: fc.constant('capture' as const), amount: fc.option(small) }),
    fc.record({ type: fc.constant('reverse' as const) }),
    fc.record({ type: fc.constant('overdraw' as const), amount: small }),
    fc.record({
      type: fc.constant('refund' as const),
      of: fc.constantFrom('pi_1', 'in_1'),
      part: fc.integer({ min: 1, max: 40 }),
    }),
  ),
});
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

/** An account on a clock that the test moves, with a worker that records what is due only when it is told to. */
class Life {
  readonly clock = new ManualClock(dawn);
  readonly store = new InMemoryEventStore();
  readonly snapshots = new InMemorySnapshotStore();
  readonly #handler = new CommandHandler(accountDecider, {
    store: this.store,
    snapshots: this.snapshots,
    keys: null,
    clock: this.clock,
    codec: ledgerCodec,
    limits: { snapshotEvery: 5 },
  });
  readonly #withSnapshots = this.#reader(this.snapshots);
  readonly #without = this.#reader(new InMemorySnapshotStore());
  #commands = 0;
  #months = 0;
  #versions = 0;
  readonly #claims = new Map<string, readonly Claim[]>();
  readonly #holds: string[] = [];
  readonly #consumptions: string[] = [];

  #reader(snapshots: InMemorySnapshotStore): PastAccounts {
    return new PastAccounts(this.store, snapshots, new SystemClock(), new BoundedReads(2, 100));
  }

  async run(command: AccountCommand): Promise<void> {
    this.#commands += 1;
    const key = `k${String(this.#commands)}`;
    const outcome = await this.#handler.execute({
      stream,
      command,
      key,
      origin: 'api',
      fingerprint: null,
      actor: 'key:test',
      causationId: null,
      correlationId: key,
    });
    if (outcome.kind !== 'recorded') return;
    for (const { event } of outcome.events) {
      if (event.type === 'CreditsHeld') this.#holds.push(event.holdId);
      if (event.type === 'CreditsConsumed' || event.type === 'HoldCaptured')
        this.#consumptions.push(event.consumptionId);
    }
  }

  commandOf({ act }: Step): AccountCommand {
    const now = this.clock.now();
    const at = (ms: number | null): string | null => (ms === null ? null : instantOf(now + ms));
    const lot = { priority: 50, costBasis: { amount: 100, currency: 'usd' }, ...annotations };
    switch (act.type) {
      case 'grant': {
        const expiresAt = act.life === null ? null : at((act.start ?? 0) + act.life);
        return {
          ...lot,
          type: 'GrantCredits',
          amount: act.amount,
          source: 'purchase',
          effectiveAt: at(act.start),
          expiresAt,
          paymentReference: 'pi_1',
        };
      }
      case 'month': {
        // Months of thirty days from dawn, each paid a little before or after it begins.
        this.#months += 1;
        const begins = instantOf(dawn + (this.#months - 1) * 30 * day);
        return {
          type: 'GrantPeriod',
          subscriptionId: 'sub_1',
          itemId: 'si_1',
          periodStart: begins,
          periodEnd: instantOf(dawn + this.#months * 30 * day),
          interval: 'month',
          creditsPerMonth: act.amount,
          prorated: false,
          cost: { amount: 100, currency: 'usd' },
          rolloverCap: act.cap ?? 0,
          paymentReference: 'in_1',
          lines: [],
          metadata: {},
        };
      }
      case 'consume':
        return { type: 'ConsumeCredits', amount: act.amount, usage: null, resource: null, ...annotations };
      case 'hold':
        return {
          type: 'HoldCredits',
          resource: null,
          amount: act.amount,
          expiresInSeconds: act.seconds,
          ...annotations,
        };
      case 'capture':
        return { type: 'CaptureHold', holdId: this.#holds.at(-1) ?? 'hold_0', amount: act.amount, final: false };
      case 'reverse':
        return {
          type: 'ReverseConsumption',
          consumptionId: this.#consumptions.at(-1) ?? 'con_0',
          amount: null,
          reason: null,
        };
      case 'overdraw':
        return { type: 'ChangeSettings', overdraftLimit: act.amount };
      case 'refund':
        return this.#refund(act);
    }
  }

  /** Another part of the hundred that came in for a payment goes back, or the last of them. */
  #refund({ of, part }: { readonly of: string; readonly part: number }): AccountCommand {
    this.#versions += 1;
    const before = this.#claims.get(of) ?? [];
    const left = before.reduce((rest, { amount }) => rest - amount, 100);
    const cause = { kind: 'refund', id: `re_${String(this.#versions)}` } as const;
    const since = instantOf(this.clock.now());
    const claims =
      left === 0 ? before : [...before, { cause, state: 'taken' as const, amount: Math.min(part, left), since }];
    this.#claims.set(of, claims);
    return { type: 'SettlePayment', paymentReference: of, version: this.#versions, paid: 100, claims };
  }

  /** The newest event of the account and what time will do next, of which it knows now. */
  async head() {
    const account = await this.#without.load(stream, { revision: Number.MAX_SAFE_INTEGER });
    return { ...account, dues: account.state.timeline.map(({ at }) => msOf(at)) };
  }

  async asOf(at: string): Promise<AccountBalance> {
    const [one, other] = [await this.#withSnapshots.load(stream, { at }), await this.#without.load(stream, { at })];
    const answer = balanceAt(one, at, one.position);
    expect(balanceAt(other, at, other.position)).toEqual(answer);
    return answer;
  }

  async atPosition(position: Position): Promise<AccountBalance> {
    const account = await this.#withSnapshots.load(stream, { position });
    return balanceAt(account, account.state.lastAt, account.position);
  }
}

/** What reads and commands say at an instant that the clock has reached must be one thing. */
async function expectAgreement(life: Life, at: string): Promise<AccountBalance> {
  const { state, revision, position } = await life.head();
  const asOf = await life.asOf(at);
  expect(balanceAt({ state, revision }, at, position)).toEqual({ ...asOf, asOf: { position, time: at } });
  const passed = timePassed(state, at, revision);
  expect(passed.state.balance).toEqual({ available: asOf.available, held: asOf.held, debt: asOf.debt });
  expect(conservationOf(passed.state).violations).toEqual([]);
  const use = (amount: number): boolean => {
    const command: AccountCommand = { type: 'ConsumeCredits', amount, usage: null, resource: null, ...annotations };
    const fork = accountDecider.fork({ ...state, settings: { ...state.settings, overdraftLimit: 0 } });
    const decision = accountDecider.decide(fork, command, { at, revision: revision + 1, commandId: '0', past: null });
    return !isRefused(decision);
  };
  if (asOf.available > 0) expect(use(asOf.available)).toBe(true);
  expect(use(asOf.available + 1)).toBe(false);
  return asOf;
}

describe('reads of an account', () => {
  it('agree with commands at every instant, and never change their answer', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 25, size: 'max' }), async (steps) => {
        const life = new Life();
        const answers = new Map<string, AccountBalance>();
        const places = new Map<Position, AccountBalance>();
        for (const taken of steps) {
          const next = life.clock.now() + taken.wait;
          const { dues } = await life.head();
          const instants = [next, ...dues.flatMap((at) => [at - 1, at, at + 1])].filter(
            (at) => at <= next && at >= dawn,
          );
          for (const at of [...new Set(instants)].sort((a, b) => a - b)) {
            if (at < life.clock.now()) continue;
            life.clock.set(instantOf(at));
            const answer = await expectAgreement(life, instantOf(at));
            // The command to come has the last instant, too.
            if (at < next) answers.set(instantOf(at), answer);
          }
          life.clock.set(instantOf(next));
          if (taken.recordsDue) {
            const before = await life.asOf(instantOf(next));
            await life.run({ type: 'RecordDue' });
            const after = await expectAgreement(life, instantOf(next));
            expect({ ...after, asOf: null }).toEqual({ ...before, asOf: null });
          }
          await life.run(life.commandOf(taken));
          await expectAgreement(life, instantOf(next));
          const { position, revision } = await life.head();
          if (revision >= 0) places.set(position, await life.atPosition(position));
        }
        life.clock.set(instantOf(life.clock.now() + 400 * day));
        await life.run({ type: 'RecordDue' });
        for (const [at, answer] of answers) expect(await life.asOf(at)).toEqual(answer);
        for (const [position, answer] of places) expect(await life.atPosition(position)).toEqual(answer);
      }),
      { numRuns: runs },
    );
  });

  it('show what time makes with the id that it is recorded with', async () => {
    const life = new Life();
    const month = { wait: 0, recordsDue: false, act: { type: 'month', amount: 50, cap: 20 } } as const;
    await life.run(life.commandOf(month));
    life.clock.set(instantOf(dawn + 29 * day));
    await life.run(life.commandOf(month));
    const at = instantOf(dawn + 30 * day);
    const before = await life.head();
    const shown = timePassed(before.state, at, before.revision);
    expect(shown.state.balance.available).toBe(70);
    life.clock.set(instantOf(dawn + 33 * day));
    await life.run({ type: 'RecordDue' });
    const { state } = await life.head();
    expect([...state.grants.values()]).toEqual([...shown.state.grants.values()]);
  });
});
