import { describe, expect, it } from '@jest/globals';
import { positionOf } from '#event-store/port/event-store.js';
import type { Recorded } from '#event-store/writing/command.js';
import type { AccountEvent } from '#ledger/account/events.js';
import {
  adjustmentAnswer,
  captureAnswer,
  consumptionAnswer,
  grantAnswer,
  releaseAnswer,
  reversalAnswer,
  settingsAnswer,
} from './answers.js';

const at = '2026-11-21T08:00:00.000Z';
const balance = (available: number, held = 0, debt = 0) => ({ available, held, debt });

function recorded(...events: AccountEvent[]): Recorded<AccountEvent>[] {
  return events.map((event, index) => ({
    event,
    id: `id-${String(index)}`,
    revision: index,
    position: positionOf(index + 1),
  }));
}

const granted: AccountEvent = {
  type: 'CreditsGranted',
  at,
  balance: balance(100),
  grantId: 'gr_1',
  amount: 100,
  source: 'purchase',
  priority: 50,
  effectiveAt: at,
  expiresAt: null,
  costBasis: null,
  paymentReference: null,
  adjustmentId: null,
  description: null,
  metadata: {},
};
const expired: AccountEvent = {
  type: 'CreditsExpired',
  at,
  balance: balance(3),
  grantId: 'gr_0',
  amount: 2,
  cost: null,
};
const repaid: AccountEvent = {
  type: 'DebtRepaid',
  at,
  balance: balance(60),
  debtId: 'debt_1',
  grantId: 'gr_1',
  amount: 40,
  cost: null,
};

describe('answers of account commands', () => {
  it('take the balance and position of the last event', () => {
    const answer = grantAnswer('account-a', recorded(expired, granted, repaid));
    expect(answer).toMatchObject({
      id: 'gr_1',
      customerId: 'a',
      unit: 'credits',
      remaining: 60,
      repaidDebt: 40,
      status: 'active',
      balance: balance(60),
      position: positionOf(3),
    });
  });

  it('know a grant that only repaid debt, and one that is still to come', () => {
    expect(grantAnswer('account-a', recorded(granted, { ...repaid, amount: 100 }))).toMatchObject({
      remaining: 0,
      status: 'spent',
    });
    expect(grantAnswer('account-a', recorded({ ...granted, effectiveAt: '2027-01-01T00:00:00.000Z' }))).toMatchObject({
      status: 'scheduled',
    });
  });

  it('find their event among those that time recorded first', () => {
    const consumed: AccountEvent = {
      type: 'CreditsConsumed',
      at,
      balance: balance(0),
      consumptionId: 'con_1',
      amount: 5,
      allocations: [{ grantId: 'gr_1', source: 'purchase', amount: 3, cost: null }],
      debt: 2,
      burnOrder: { name: 'purchased-first', version: 1 },
      usage: null,
      resource: null,
      description: null,
      metadata: {},
    };
    const debt: AccountEvent = {
      type: 'DebtIncurred',
      at,
      balance: balance(0, 0, 2),
      debtId: 'd',
      amount: 2,
      cause: { kind: 'overdraft', id: 'con_1', grantId: null },
    };
    expect(consumptionAnswer('account-a.b.tokens', recorded(expired, consumed, debt))).toMatchObject({
      id: 'con_1',
      customerId: 'a.b',
      unit: 'tokens',
      debt: 2,
      balance: balance(0, 0, 2),
    });
  });

  it('tell the hold as a command leaves it', () => {
    const slice = { grantId: 'gr_1', source: 'purchase' as const, amount: 4 };
    const hold = { holdId: 'hold_1', heldAmount: 20, expiresAt: at };
    const captured: AccountEvent = {
      type: 'HoldCaptured',
      at,
      balance: balance(80, 4),
      ...hold,
      consumptionId: 'con_2',
      amount: 16,
      allocations: [],
      final: false,
      remaining: 4,
      heldAllocations: [slice],
    };
    const timedOut: AccountEvent = {
      type: 'HoldReleased',
      at,
      balance: balance(84),
      ...hold,
      holdId: 'hold_0',
      amount: 4,
      allocations: [slice],
      reason: 'expired',
    };
    expect(captureAnswer('account-a', recorded(timedOut, captured))).toMatchObject({
      id: 'hold_1',
      status: 'open',
      remaining: 4,
      captured: 16,
      allocations: [slice],
      consumptionId: 'con_2',
    });
    const rest: AccountEvent = { ...timedOut, holdId: 'hold_1', reason: 'captured' };
    expect(captureAnswer('account-a', recorded({ ...captured, final: true }, rest))).toMatchObject({
      status: 'captured',
      remaining: 0,
      captured: 16,
      allocations: [],
    });
    expect(
      releaseAnswer('account-a', recorded(timedOut, { ...timedOut, holdId: 'hold_1', reason: 'released' })),
    ).toMatchObject({ id: 'hold_1', status: 'released', remaining: 0, captured: 16 });
  });

  it('tell adjustments of either direction', () => {
    expect(adjustmentAnswer('account-a', recorded({ ...granted, adjustmentId: 'adj_1' }))).toMatchObject({
      id: 'adj_1',
      amount: 100,
      grantId: 'gr_1',
    });
    const taken: AccountEvent = {
      type: 'CreditsRevoked',
      at,
      balance: balance(7),
      revocationId: 'rvk_1',
      amount: 3,
      allocations: [{ grantId: 'gr_1', source: 'purchase', amount: 3, cost: null }],
      scheduled: 0,
      expired: 0,
      writtenOff: 0,
      grantId: null,
      cause: { kind: 'adjustment', id: 'adj_2' },
      reason: 'x',
    };
    expect(adjustmentAnswer('account-a', recorded(taken))).toMatchObject({
      id: 'adj_2',
      amount: -3,
      allocations: [{ grantId: 'gr_1', amount: 3 }],
    });
  });

  it('show what a reversal gave back without its costs', () => {
    const reversed: AccountEvent = {
      type: 'ConsumptionReversed',
      at,
      balance: balance(9),
      reversalId: 'rev_1',
      consumptionId: 'con_1',
      consumptionRevision: 0,
      amount: 2,
      reversedTotal: 2,
      restored: [{ grantId: 'gr_1', source: 'purchase', amount: 2, cost: { amount: 5, currency: 'usd' } }],
      debtReversed: 0,
      reason: null,
    };
    expect(reversalAnswer('account-a', recorded(reversed))).toMatchObject({
      id: 'rev_1',
      restored: [{ grantId: 'gr_1', amount: 2 }],
    });
  });

  it('tell settings only where the events do', () => {
    expect(settingsAnswer('account-a', recorded(expired))).toBeNull();
  });
});
