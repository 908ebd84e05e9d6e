import { MAX_AMOUNT, type Amount } from '#kernel/amount.js';
import { revisionInId } from '#kernel/ids.js';
import { later, plusMs, type Instant } from '#kernel/instant.js';
import { assertNever } from '#kernel/assert.js';
import { allowanceOf, noneLeft } from './budgets/allowance.js';
import { chargesMember, joinCharges, takeFirst } from './budgets/charges.js';
import type { Charge } from './budgets/facts.js';
import { burnOrderOf, slicesToHold } from './grants/burn-order.js';
import type { AccountCommand, AccountRefusal } from './commands.js';
import { costOf } from './grants/cost.js';
import type { AccountEventOf, HeldSlice, Slice } from './events.js';
import { compareDue, grantOf, holdReleased, timeoutOf } from './grants/lots.js';
import type { Recording } from './recording.js';
import type { AccountState, Hold } from './state.js';
import { letTimePass } from './time.js';
import { insertSorted, removeSorted } from '../sorted.js';

type Command<Type extends AccountCommand['type']> = Extract<AccountCommand, { type: Type }>;
type HoldCommand = Command<'ExtendHold' | 'RaiseHold' | 'CaptureHold' | 'ReleaseHold'>;

/**
 * Reserves credits in burn order for work under way, as far as the budgets of the scope allow; a partial hold as much as there is. Never
 * uses an overdraft.
 */
export function holdCredits(recording: Recording, command: Command<'HoldCredits'>): AccountRefusal | null {
  const { amount: requested, partial = false, resource } = command;
  const { available } = recording.balance;
  const allowance = allowanceOf(recording, command.scope);
  if (allowance !== null && 'rejected' in allowance) return allowance;
  const amount = partial ? Math.min(requested, available, allowance?.most ?? requested) : requested;
  if (amount > available || amount === 0)
    return { rejected: 'insufficient_credits', available, required: requested, ...noneLeft(allowance, available) };
  const exceeded = allowance?.exceededBy(amount) ?? null;
  if (exceeded !== null) return { rejected: 'budget_exceeded', ...exceeded };
  recording.record({
    type: 'CreditsHeld',
    holdId: recording.newId('hold'),
    amount,
    ...(amount === requested ? {} : { requested }),
    allocations: slicesToHold(recording.state, amount),
    ...(resource === null ? {} : { resource }),
    ...allowance?.charge(amount),
    expiresAt: plusMs(recording.moment.at, command.expiresInSeconds * 1000),
    owner: 'caller',
    burnOrder: burnOrderOf(recording.state.settings.burnOrder),
    description: command.description,
    metadata: command.metadata,
  });
  return null;
}

/** The revision at which a hold that is not open was placed, if the id is one of ours. */
export const revisionOfHold = (command: HoldCommand): number | null => revisionInId('hold', command.holdId);

/** A hold that a caller may settle, with the time-out that each of those has. */
type CallersHold = Hold & { readonly expiresAt: Instant };

const isCallers = (hold: Hold): hold is CallersHold => hold.owner === 'caller' && hold.expiresAt !== null;

function openHold(recording: Recording, command: HoldCommand): CallersHold | AccountRefusal {
  const hold = recording.state.holds.get(command.holdId);
  // What a refund or dispute reserves is not the callers' to settle.
  if (hold !== undefined && isCallers(hold)) return hold;
  const { past } = recording.moment;
  const timedOutJustNow = recording.before.holds.get(command.holdId)?.owner === 'caller';
  const wasPlaced =
    timedOutJustNow || (past?.type === 'CreditsHeld' && past.holdId === command.holdId && past.owner === 'caller');
  return { rejected: wasPlaced ? 'hold_not_open' : 'hold_not_found' };
}

/** Reserves more credits by an open hold, in burn order, as far as its budgets allow now. When it times out does not change. */
export function raiseHold(recording: Recording, command: Command<'RaiseHold'>): AccountRefusal | null {
  const hold = openHold(recording, command);
  if ('rejected' in hold) return hold;
  const { amount } = command;
  const { available } = recording.balance;
  if (amount > available) return { rejected: 'insufficient_credits', available, required: amount };
  if (amount > MAX_AMOUNT - hold.amount) return { rejected: 'balance_limit_exceeded' };
  const allowance = allowanceOf(recording, hold.scope);
  if (allowance !== null && 'rejected' in allowance) return allowance;
  const exceeded = allowance?.exceededBy(amount) ?? null;
  if (exceeded !== null) return { rejected: 'budget_exceeded', ...exceeded };
  const allocations = slicesToHold(recording.state, amount);
  recording.record({
    type: 'HoldRaised',
    holdId: hold.id,
    amount,
    allocations,
    ...allowance?.chargeOf(amount),
    burnOrder: burnOrderOf(recording.state.settings.burnOrder),
    heldAmount: hold.amount + amount,
    remaining: hold.remaining + amount,
    heldAllocations: joined(hold.allocations, allocations),
    expiresAt: hold.expiresAt,
  });
  return null;
}

/** Slices of a hold with those added to it, one of each grant, so that a hold that is raised often stays small. */
function joined(held: readonly HeldSlice[], added: readonly HeldSlice[]): readonly HeldSlice[] {
  const slices = new Map(held.map((slice) => [slice.grantId, slice]));
  for (const slice of added) {
    const before = slices.get(slice.grantId);
    slices.set(slice.grantId, before === undefined ? slice : { ...before, amount: before.amount + slice.amount });
  }
  return [...slices.values()];
}

/** The hold times out `expiresInSeconds` from now, or when it would have anyway if that is later. */
export function extendHold(recording: Recording, command: Command<'ExtendHold'>): AccountRefusal | null {
  const hold = openHold(recording, command);
  if ('rejected' in hold) return hold;
  recording.record({
    type: 'HoldExtended',
    holdId: hold.id,
    heldAmount: hold.amount,
    remaining: hold.remaining,
    heldAllocations: hold.allocations,
    expiresAt: later(hold.expiresAt, plusMs(recording.moment.at, command.expiresInSeconds * 1000)),
  });
  return null;
}

/**
 * Turns held credits into a consumption, slice by slice in the order they were chosen, also after their grant expired: a
 * hold pins its slices. A final capture releases the rest.
 */
export function captureHold(recording: Recording, command: Command<'CaptureHold'>): AccountRefusal | null {
  const hold = openHold(recording, command);
  if ('rejected' in hold) return hold;
  const amount = command.amount ?? hold.remaining;
  if (amount > hold.remaining) return { rejected: 'amount_exceeds_hold' };
  const { captured, rest } = split(recording, hold, amount);
  const charges = takeFirst(hold.charges ?? [], amount);
  const remaining = hold.remaining - amount;
  const final = command.final || remaining === 0;
  recording.record({
    type: 'HoldCaptured',
    holdId: hold.id,
    consumptionId: recording.newId('con'),
    amount,
    allocations: captured,
    ...(hold.resource === null ? {} : { resource: hold.resource }),
    ...(hold.scope === undefined ? {} : { scope: hold.scope }),
    ...chargesMember(charges.taken),
    final,
    heldAmount: hold.amount,
    remaining,
    heldAllocations: rest,
    expiresAt: hold.expiresAt,
  });
  if (final && remaining > 0)
    release(recording, { ...hold, remaining, allocations: rest, charges: charges.rest }, 'captured');
  return null;
}

function split(recording: Recording, hold: Hold, amount: Amount): { captured: Slice[]; rest: HeldSlice[] } {
  const captured: Slice[] = [];
  const rest: HeldSlice[] = [];
  let missing = amount;
  for (const slice of hold.allocations) {
    const taken = Math.min(missing, slice.amount);
    missing -= taken;
    if (taken > 0)
      captured.push({ ...slice, amount: taken, cost: costOf(grantOf(recording.state, slice.grantId), taken) });
    if (taken < slice.amount) rest.push({ ...slice, amount: slice.amount - taken });
  }
  return { captured, rest };
}

/** Gives all that is still held back to its grants; what comes back to an expired grant expires at once. */
export function releaseHold(recording: Recording, command: Command<'ReleaseHold'>): AccountRefusal | null {
  const hold = openHold(recording, command);
  if ('rejected' in hold) return hold;
  release(recording, hold, 'released');
  return null;
}

function release(recording: Recording, hold: Hold, reason: 'released' | 'captured'): void {
  recording.record(holdReleased(hold, reason));
  letTimePass(recording, hold.allocations);
}

function putHold(state: AccountState, hold: Hold): void {
  const before = state.holds.get(hold.id);
  const due = before === undefined ? null : timeoutOf(before);
  if (due !== null) state.timeline = removeSorted(state.timeline, due, compareDue);
  if (hold.remaining === 0) {
    state.holds.delete(hold.id);
    return;
  }
  state.holds.set(hold.id, hold);
  const next = timeoutOf(hold);
  if (next !== null) state.timeline = insertSorted(state.timeline, next, compareDue);
}

/** What of an open hold no event after its first names again. */
function constantOf(hold: Hold | undefined): Pick<Hold, 'owner' | 'resource' | 'scope'> {
  const { owner = 'caller' as const, resource = null } = hold ?? {};
  return { owner, resource, ...scopeMember(hold?.scope) };
}

const scopeMember = (scope: string | undefined): { readonly scope?: string } => (scope === undefined ? {} : { scope });

/** What of an open hold counts in budgets once an event has changed it. */
function chargesAfter(hold: Hold | undefined, event: HoldEvent): readonly Charge[] | undefined {
  switch (event.type) {
    case 'CreditsHeld':
      return event.charges;
    case 'HoldExtended':
      return hold?.charges;
    case 'HoldRaised':
      return joinCharges(hold?.charges, event.charges, hold?.remaining ?? 0, event.amount);
    case 'HoldCaptured':
      return hold?.charges === undefined ? undefined : takeFirst(hold.charges, event.amount).rest;
    case 'HoldReleased':
      return undefined;
    default:
      return assertNever(event);
  }
}

type HoldEvent =
  | AccountEventOf<'CreditsHeld'>
  | AccountEventOf<'HoldExtended'>
  | AccountEventOf<'HoldRaised'>
  | AccountEventOf<'HoldCaptured'>
  | AccountEventOf<'HoldReleased'>;

/** What an event leaves of a hold. */
export function evolveHolds(state: AccountState, event: HoldEvent): AccountState {
  const before = state.holds.get(event.holdId);
  const charges = chargesMember(chargesAfter(before, event));
  switch (event.type) {
    case 'CreditsHeld':
      putHold(state, {
        id: event.holdId,
        amount: event.amount,
        remaining: event.amount,
        allocations: event.allocations,
        expiresAt: event.expiresAt,
        owner: event.owner,
        resource: event.resource ?? null,
        ...scopeMember(event.scope),
        ...charges,
      });
      return state;
    case 'HoldExtended':
    case 'HoldRaised':
    case 'HoldCaptured':
      putHold(state, {
        id: event.holdId,
        amount: event.heldAmount,
        remaining: event.remaining,
        allocations: event.heldAllocations,
        expiresAt: event.expiresAt,
        ...constantOf(before),
        ...charges,
      });
      return state;
    case 'HoldReleased':
      putHold(state, {
        id: event.holdId,
        amount: event.heldAmount,
        remaining: 0,
        allocations: [],
        expiresAt: event.expiresAt,
        ...constantOf(before),
      });
      return state;
    default:
      return assertNever(event);
  }
}
