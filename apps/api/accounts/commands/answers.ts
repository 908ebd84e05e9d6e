import { assert } from '#kernel/assert.js';
import { accountOf, type StreamName } from '#kernel/stream-name.js';
import type { Position } from '#event-store/port/event-store.js';
import type { Recorded } from '#event-store/writing/command.js';
import type { Scoped } from '#ledger/account/budgets/facts.js';
import { standingOf } from '#ledger/account/reading/budgets.js';
import type { AccountEvent, AccountEventOf, AccountEventType, Settings } from '#ledger/account/events.js';

/**
 * Answers of commands, made from the recorded events alone. The log keeps those for ever, so a repeated key gets the first
 * answer again, whatever has happened since.
 */
export type AccountAnswer = (stream: StreamName, events: readonly Recorded<AccountEvent>[]) => object;

type Events = readonly Recorded<AccountEvent>[];

function find<Type extends AccountEventType>(events: Events, type: Type): AccountEventOf<Type> | null {
  for (let i = events.length - 1; i >= 0; i -= 1) {
    const event = events[i]?.event;
    if (event?.type === type) return event as unknown as AccountEventOf<Type>;
  }
  return null;
}

function expect<Type extends AccountEventType>(events: Events, type: Type): AccountEventOf<Type> {
  const found = find(events, type);
  assert(found !== null, `a command that must record a ${type} recorded none`);
  return found;
}

/** The account as the command left it, and the place in the log of all that it recorded. */
function after(events: Events): { balance: object; position: Position } {
  const last = events.at(-1);
  assert(last !== undefined, 'a command was recorded without events');
  const { available, held, debt } = last.event.balance;
  return { balance: { available, held, debt }, position: last.position };
}

const whose = (stream: StreamName): { customerId: string; unit: string } => {
  const account = accountOf(stream);
  assert(account !== null, `not an account's stream: ${stream}`);
  return account;
};

export const grantAnswer: AccountAnswer = (stream, events) => {
  const granted = expect(events, 'CreditsGranted');
  const repaid = events.reduce(
    (sum, { event }) => sum + (event.type === 'DebtRepaid' && event.grantId === granted.grantId ? event.amount : 0),
    0,
  );
  const remaining = granted.amount - repaid;
  const status = granted.effectiveAt > granted.at ? 'scheduled' : remaining === 0 ? 'spent' : 'active';
  return {
    id: granted.grantId,
    ...whose(stream),
    source: granted.source,
    priority: granted.priority,
    amount: granted.amount,
    remaining,
    held: 0,
    consumed: 0,
    expired: 0,
    revoked: 0,
    repaidDebt: repaid,
    transferred: 0,
    effectiveAt: granted.effectiveAt,
    expiresAt: granted.expiresAt,
    costBasis: granted.costBasis,
    paymentReference: granted.paymentReference,
    description: granted.description,
    status,
    createdAt: granted.at,
    ...after(events),
  };
};

export const consumptionAnswer: AccountAnswer = (stream, events) => {
  const consumed = expect(events, 'CreditsConsumed');
  return {
    id: consumed.consumptionId,
    ...whose(stream),
    amount: consumed.amount,
    ...requestedIn(consumed),
    allocations: consumed.allocations,
    debt: consumed.debt,
    burnOrder: consumed.burnOrder.name,
    usage: consumed.usage,
    resource: consumed.resource,
    ...scopedIn(consumed),
    at: consumed.at,
    ...after(events),
  };
};

/** The scope, where one was named, and the soft budgets that are over their limits with it. */
function scopedIn({ scope, charges = [] }: Scoped): {
  readonly scope?: string;
  readonly softBudgets?: readonly string[];
} {
  const over = charges.flatMap(({ budgets }) => budgets.filter((counted) => counted.over === true));
  return {
    ...(scope === undefined ? {} : { scope }),
    ...(over.length === 0 ? {} : { softBudgets: over.map((counted) => counted.scope) }),
  };
}

/** What a partial command asked for, where it got less. */
const requestedIn = ({ requested }: { readonly requested?: number }): { requested?: number } =>
  requested === undefined ? {} : { requested };

export const reversalAnswer: AccountAnswer = (_, events) => {
  const reversed = expect(events, 'ConsumptionReversed');
  return {
    id: reversed.reversalId,
    consumptionId: reversed.consumptionId,
    amount: reversed.amount,
    restored: reversed.restored.map(({ grantId, amount }) => ({ grantId, amount })),
    ...after(events),
  };
};

export const holdAnswer: AccountAnswer = (_, events) => {
  const held = expect(events, 'CreditsHeld');
  return {
    id: held.holdId,
    amount: held.amount,
    ...requestedIn(held),
    remaining: held.amount,
    captured: 0,
    status: 'open',
    expiresAt: held.expiresAt,
    allocations: held.allocations,
    ...scopedIn(held),
    ...after(events),
  };
};

export const extensionAnswer: AccountAnswer = (_, events) => openHold(expect(events, 'HoldExtended'), events);
export const raiseAnswer: AccountAnswer = (_, events) => {
  const raised = expect(events, 'HoldRaised');
  return { ...openHold(raised, events), ...scopedIn(raised) };
};

/** A hold that is still open after an event. */
const openHold = (event: AccountEventOf<'HoldExtended'> | AccountEventOf<'HoldRaised'>, events: Events): object => ({
  id: event.holdId,
  amount: event.heldAmount,
  remaining: event.remaining,
  captured: event.heldAmount - event.remaining,
  status: 'open',
  expiresAt: event.expiresAt,
  allocations: event.heldAllocations,
  ...after(events),
});

/** `allocations` are the slices that are still held, `captured` is all that was consumed of the hold so far. */
export const captureAnswer: AccountAnswer = (_, events) => {
  const captured = expect(events, 'HoldCaptured');
  return {
    id: captured.holdId,
    consumptionId: captured.consumptionId,
    amount: captured.heldAmount,
    remaining: captured.final ? 0 : captured.remaining,
    captured: captured.heldAmount - captured.remaining,
    status: captured.final ? 'captured' : 'open',
    expiresAt: captured.expiresAt,
    allocations: captured.final ? [] : captured.heldAllocations,
    ...after(events),
  };
};

export const releaseAnswer: AccountAnswer = (_, events) => {
  const released = expect(events, 'HoldReleased');
  return {
    id: released.holdId,
    amount: released.heldAmount,
    remaining: 0,
    captured: released.heldAmount - released.amount,
    status: 'released',
    expiresAt: released.expiresAt,
    allocations: [],
    ...after(events),
  };
};

export const revocationAnswer: AccountAnswer = (_, events) => {
  const { revocationId, grantId, amount } = expect(events, 'CreditsRevoked');
  return { id: revocationId, grantId, amount, ...after(events) };
};

export const adjustmentAnswer: AccountAnswer = (_, events) => {
  const granted = find(events, 'CreditsGranted');
  if (granted !== null) {
    return { id: granted.adjustmentId, amount: granted.amount, grantId: granted.grantId, ...after(events) };
  }
  const { cause, amount, allocations } = expect(events, 'CreditsRevoked');
  return { id: cause.id, amount: -amount, allocations, ...after(events) };
};

/** A budget as a command left it; of one that was removed, whose it was. */
export const budgetAnswer: AccountAnswer = (stream, events) => {
  const { position } = after(events);
  const set = find(events, 'BudgetSet');
  if (set === null) return { scope: expect(events, 'BudgetRemoved').scope, ...whose(stream), position };
  const { used, heldAmount: held, windowStart, windowEnd } = set;
  return { ...whose(stream), ...standingOf(set, { used, held, windowStart, windowEnd }), position };
};

/** An account with its settings. */
export const accountAnswer = (
  stream: StreamName,
  settings: Settings,
  at: { balance: object; position: Position },
): object => ({
  ...whose(stream),
  status: settings.status,
  burnOrder: settings.burnOrder,
  overdraftLimit: settings.overdraftLimit,
  debtPolicy: settings.debtPolicy,
  lowBalanceThreshold: settings.lowBalanceThreshold,
  ...at,
});

/** The account after a change of its settings; null when the events do not tell them, because nothing changed. */
export function settingsAnswer(stream: StreamName, events: Events): object | null {
  for (let i = events.length - 1; i >= 0; i -= 1) {
    const event = events[i]?.event;
    if (event !== undefined && 'settings' in event) return accountAnswer(stream, event.settings, after(events));
  }
  return null;
}
