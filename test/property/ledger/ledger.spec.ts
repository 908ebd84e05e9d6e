import fc from 'fast-check';
import { describe, expect, it } from '@jest/globals';
import { conservationOf } from '#ledger/account/account.js';
import type { AccountEvent } from '#ledger/account/events.js';
import { balanceChange } from '#ledger/account/grants/moves.js';
import type { Claim } from '#ledger/payment/claims.js';
import { steps } from './commands.js';
import { audit, dawn, live, runs } from './lives.js';
import { Subject } from './subject.js';

describe('an account, against a naive model of it', () => {
  it('answers every command as the model does, event by event', () => {
    fc.assert(
      fc.property(steps(40), (taken) => {
        live(taken, (_subject, books, { model, decided }) => {
          expect(decided).toEqual(model);
          for (const grant of books.grants) {
            const { scheduled, free, held, consumed, expired, revoked, repaid, transferred } = grant;
            const parts = scheduled + free + held + consumed + expired + revoked + repaid + transferred;
            expect(parts).toBe(grant.amount);
          }
        });
      }),
      runs(600),
    );
  });

  it('records with every event the balance after it, never negative, and conserves each grant and its cost', () => {
    fc.assert(
      fc.property(steps(40), (taken) => {
        const subject = live(taken, () => undefined);
        let balance = { available: 0, held: 0, debt: 0 };
        for (const event of subject.log) {
          const change = balanceChange(event);
          balance = {
            available: balance.available + change.available,
            held: balance.held + change.held,
            debt: balance.debt + change.debt,
          };
          expect(event.balance).toEqual(balance);
          expect(Math.min(balance.available, balance.held, balance.debt)).toBeGreaterThanOrEqual(0);
        }
        expect(conservationOf(subject.state).violations).toEqual([]);
        for (const lot of audit(subject.log).values()) {
          expect(lot.left).toBeGreaterThanOrEqual(0);
          expect(lot.left).toBeLessThanOrEqual(lot.granted);
          expect(lot.spent).toBeGreaterThanOrEqual(0);
          expect(lot.spent).toBeLessThanOrEqual(lot.cost);
          if (lot.left === 0) expect(lot.spent).toBe(lot.cost);
        }
      }),
      runs(200),
    );
  });
});

const expiredBy = (log: readonly AccountEvent[], grantId: string, at: string): boolean =>
  log.some(
    (event) =>
      event.type === 'CreditsGranted' && event.grantId === grantId && event.expiresAt !== null && event.expiresAt <= at,
  );

describe('a generator of lives that is worth its time', () => {
  it('reaches every kind of event and refusal, and the rare turns', () => {
    const seen = new Map<string, number>();
    const count = (what: string): void => void seen.set(what, (seen.get(what) ?? 0) + 1);
    const lives = fc.sample(steps(40), { numRuns: 1200, seed: 3 });
    for (const taken of lives) {
      const subject = live(taken, (_subject, _books, { decided }) => {
        if (decided.kind === 'refused') count(decided.code);
      });
      for (const event of subject.log) {
        count(event.type);
        if (
          event.type === 'TransferReturned' &&
          event.restored.some(({ grantId }) => expiredBy(subject.log, grantId, event.at))
        )
          count('returned after expiry');
        if (event.type === 'HoldReleased') count(`hold ${event.reason}`);
        if (event.type === 'ConsumptionReversed' && event.debtReversed > 0 && event.restored.length > 0)
          count('overdraft and slices reversed');
        if (event.type === 'DebtForgiven' && event.restored.length > 0)
          count(`repaid debt returned by ${event.cause.kind}`);
        if (event.type === 'CreditsRevoked' && event.scheduled > 0) count('scheduled revoked');
        if (event.type === 'HoldCaptured' && !event.final) count('captured in part');
      }
    }
    const wanted = [
      'AccountOpened',
      'CreditsGranted',
      'CreditsActivated',
      'CreditsConsumed',
      'CreditsHeld',
      'HoldExtended',
      'HoldRaised',
      'HoldCaptured',
      'HoldReleased',
      'CreditsExpired',
      'CreditsRevoked',
      'ConsumptionReversed',
      'DebtIncurred',
      'DebtRepaid',
      'DebtForgiven',
      'TransferSent',
      'TransferReceived',
      'TransferReturned',
      'BillingRequested',
      'BurnOrderChanged',
      'OverdraftLimitChanged',
      'DebtPolicyChanged',
      'LowBalanceThresholdChanged',
      'AccountFrozen',
      'AccountUnfrozen',
      'AccountClosed',
      'insufficient_credits',
      'account_frozen',
      'account_closed',
      'grant_expired',
      'invalid_expiry',
      'grant_not_found',
      'hold_not_found',
      'hold_not_open',
      'consumption_not_found',
      'already_reversed',
      'amount_exceeds_hold',
      'amount_exceeds_consumption',
      'customer_not_found',
      'customer_erased',
      'returned after expiry',
      'hold released',
      'hold captured',
      'hold expired',
      'overdraft and slices reversed',
      'repaid debt returned by reversal',
      'scheduled revoked',
      'captured in part',
    ];
    expect(wanted.filter((what) => !seen.has(what))).toEqual([]);
  });
});

describe('an account at the greatest amounts', () => {
  const huge = fc.constantFrom(1, 2 ** 52, Number.MAX_SAFE_INTEGER - 1, Number.MAX_SAFE_INTEGER);
  const annotations = { description: null, metadata: {} };
  const refundOf = (amount: number): Claim => ({
    cause: { kind: 'refund', id: 're_1' },
    state: 'taken',
    amount,
    since: dawn as Claim['since'],
  });
  const command = fc.oneof(
    fc
      .record({
        type: fc.constant('GrantCredits' as const),
        amount: huge,
        costBasis: fc.option(huge.map((amount) => ({ amount, currency: 'usd' }))),
      })
      .map((grant) => ({
        ...grant,
        source: 'purchase' as const,
        priority: 50,
        effectiveAt: null,
        expiresAt: null,
        paymentReference: 'in_1',
        ...annotations,
      })),
    huge.map((amount) => ({ type: 'ConsumeCredits' as const, amount, usage: null, resource: null, ...annotations })),
    huge.map((amount) => ({
      type: 'HoldCredits' as const,
      amount,
      resource: null,
      expiresInSeconds: 60,
      ...annotations,
    })),
    huge.map((amount) => ({ type: 'AdjustCredits' as const, amount: -amount, reason: 'count' })),
    huge.map((amount) => ({ type: 'AdjustCredits' as const, amount, reason: 'count' })),
    huge.map((overdraftLimit) => ({ type: 'ChangeSettings' as const, overdraftLimit })),
    fc.record({ amount: huge, of: fc.nat(3) }).map(({ amount, of }) => ({
      type: 'RevokeGrant' as const,
      grantId: `gr#${String(of)}`,
      amount,
      reason: 'count',
    })),
    fc.record({ paid: huge, back: fc.option(huge), version: fc.nat(99) }).map(({ paid, back, version }) => ({
      type: 'SettlePayment' as const,
      paymentReference: 'in_1',
      version,
      paid,
      claims: back === null ? [] : [refundOf(Math.min(back, paid))],
    })),
    fc.nat(3).map((of) => ({
      type: 'ReverseConsumption' as const,
      consumptionId: `con#${String(of)}`,
      amount: null,
      reason: null,
    })),
    fc.nat(3).map((of) => ({ type: 'CaptureHold' as const, holdId: `hold#${String(of)}`, amount: null, final: true })),
    fc.nat(3).map((of) => ({ type: 'ReleaseHold' as const, holdId: `hold#${String(of)}` })),
  );

  it('never counts beyond what a number can hold exactly', () => {
    fc.assert(
      fc.property(fc.array(command, { minLength: 1, maxLength: 30, size: 'max' }), (commands) => {
        const subject = new Subject();
        for (const each of commands) subject.run(each, dawn);
        for (const { balance } of subject.log) {
          for (const amount of [balance.available, balance.held, balance.debt]) {
            expect(Number.isSafeInteger(amount)).toBe(true);
            expect(amount).toBeGreaterThanOrEqual(0);
          }
        }
        for (const lot of audit(subject.log).values())
          expect(lot.spent <= lot.cost && lot.left <= lot.granted && lot.left >= 0).toBe(true);
        expect(conservationOf(subject.state).violations).toEqual([]);
      }),
      runs(400),
    );
  });
});
