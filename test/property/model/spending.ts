import type { Source } from '#ledger/account/events.js';
import { Time } from './time.js';
import {
  balanceOf,
  plusSeconds,
  refuse,
  Refusal,
  standing,
  sum,
  type ModelGrant,
  type ModelHold,
  type Use,
} from './books.js';

/** A grant as it is asked for. */
export type Lot = {
  amount: number;
  source: Source;
  priority: number;
  effectiveAt: string;
  expiresAt: string | null;
  costBasis: { amount: number; currency: string } | null;
  adjustment?: boolean;
  paymentReference: string | null;
  received?: { transferId: string; fromCustomerId: string; grantId: string };
};

/** Grants, consumptions, their reversals, and holds. */
export class Spending extends Time {
  protected add(asked: Lot): void {
    const { amount, source, priority, effectiveAt, expiresAt, costBasis, paymentReference, received } = asked;
    const activated = effectiveAt <= this.at;
    this.books.grants.push({
      ...{ source, priority, amount, effectiveAt, expiresAt, paymentReference, activated },
      revision: this.books.revision + 1,
      currency: costBasis?.currency ?? null,
      paid: (costBasis?.amount ?? 0) > 0,
      costLeft: costBasis?.amount ?? 0,
      lot: received === undefined ? null : `${received.transferId} ${received.grantId}`,
      scheduled: activated ? 0 : amount,
      free: activated ? amount : 0,
      held: 0,
      consumed: 0,
      expired: 0,
      revoked: 0,
      repaid: 0,
      transferred: 0,
      passedOn: { taken: 0, reserved: 0 },
      reserved: 0,
      claimed: 0,
      withdrawn: 0,
      takenByTerm: 0,
      takenByTrial: 0,
      term: null,
    });
    this.emit('CreditsGranted', {
      grantId: `gr#${String(this.books.grants.length - 1)}`,
      ...{ amount, source, priority, effectiveAt, expiresAt, costBasis, paymentReference },
      adjusted: asked.adjustment ?? false,
      ...(received === undefined ? {} : { received }),
    });
  }

  /** The grants that can be spent now, in the account's burn order. */
  protected spendable(): number[] {
    const usable = [...this.books.grants.keys()].filter((number) => this.books.grants[number]!.free > 0);
    const purchasedFirst = this.books.settings.burnOrder === 'purchased-first';
    const rankings: ((grant: ModelGrant) => number | string)[] = purchasedFirst
      ? [
          (grant) => (grant.source === 'purchase' ? 0 : 1),
          (grant) => grant.priority,
          (grant) => grant.expiresAt ?? '~never',
        ]
      : [(grant) => grant.priority, (grant) => grant.expiresAt ?? '~never', (grant) => (grant.paid ? 1 : 0)];
    rankings.push(
      (grant) => grant.effectiveAt,
      (grant) => grant.revision,
    );
    return usable.sort((a, b) => {
      for (const ranking of rankings) {
        const [left, right] = [ranking(this.books.grants[a]!), ranking(this.books.grants[b]!)];
        if (left !== right) return left < right ? -1 : 1;
      }
      return 0;
    });
  }

  protected choose(amount: number): { grant: number; amount: number }[] {
    const chosen: { grant: number; amount: number }[] = [];
    let missing = amount;
    for (const grant of this.spendable()) {
      if (missing === 0) break;
      const part = Math.min(missing, this.books.grants[grant]!.free);
      chosen.push({ grant, amount: part });
      missing -= part;
    }
    return chosen;
  }

  protected burnOrder(): object {
    return { name: this.books.settings.burnOrder, version: 1 };
  }

  protected insufficient(required: number): never {
    throw new Refusal({
      kind: 'refused',
      code: 'insufficient_credits',
      available: balanceOf(this.books).available,
      required,
    });
  }

  protected consume(command: { amount: number; partial?: true; usage: unknown; resource: unknown }): void {
    if (this.books.settings.status === 'frozen') refuse('account_frozen');
    const { usage, resource } = command;
    const { available, debt } = balanceOf(this.books);
    const withOverdraft = available + Math.max(this.books.settings.overdraftLimit - debt, 0);
    const amount = command.partial === true && command.amount > withOverdraft ? withOverdraft : command.amount;
    if (amount === 0) this.insufficient(command.amount);
    const missing = Math.max(0, amount - available);
    if (missing > 0 && debt + missing > this.books.settings.overdraftLimit) this.insufficient(amount);
    const uses = this.choose(amount - missing).map((part) => this.use(part.grant, 'free', 'consumed', part.amount));
    const number = this.books.consumptions.push({ amount, uses, debt: null, reversed: 0 }) - 1;
    const consumptionId = `con#${String(number)}`;
    const allocations = uses.map((use) => this.slice(use));
    this.emit('CreditsConsumed', {
      consumptionId,
      amount,
      ...(amount < command.amount ? { requested: command.amount } : {}),
      allocations,
      debt: missing,
      burnOrder: this.burnOrder(),
      usage,
      resource,
    });
    if (missing > 0)
      this.books.consumptions[number]!.debt = this.incur(missing, null, {
        kind: 'overdraft',
        id: consumptionId,
        grantId: null,
      });
  }

  protected reverse(command: { consumptionId: string; amount: number | null; reason: string | null }): void {
    const number = this.books.consumptions.findIndex((_, index) => command.consumptionId === `con#${String(index)}`);
    const consumption = this.books.consumptions[number];
    if (consumption === undefined) refuse('consumption_not_found');
    const left = consumption.amount - consumption.reversed;
    if (left === 0) refuse('already_reversed');
    const amount = command.amount ?? left;
    if (amount > left) refuse('amount_exceeds_consumption');
    const debt = consumption.debt === null ? null : this.books.debts[consumption.debt]!;
    const debtReversed = Math.min(amount, debt === null ? 0 : standing(debt));
    const restored = this.giveBackNewestFirst(consumption.uses, 'consumed', amount - debtReversed);
    consumption.reversed += amount;
    this.emit('ConsumptionReversed', {
      consumptionId: command.consumptionId,
      amount,
      reversedTotal: consumption.reversed,
      restored: restored.map((use) => this.slice(use)),
      debtReversed,
      reason: command.reason,
    });
    if (debtReversed > 0) this.forgive(consumption.debt!, debtReversed, { kind: 'reversal', id: 'rev' });
    this.passTime();
  }

  protected hold(command: { amount: number; partial?: true; resource: unknown; expiresInSeconds: number }): void {
    if (this.books.settings.status === 'frozen') refuse('account_frozen');
    const { available } = balanceOf(this.books);
    const amount = command.partial === true && command.amount > available ? available : command.amount;
    if (amount > available || amount === 0) this.insufficient(command.amount);
    const slices = this.choose(amount);
    for (const part of slices) this.move(part.grant, 'free', 'held', part.amount);
    const expiresAt = plusSeconds(this.at, command.expiresInSeconds);
    const number = this.books.holds.push({ open: true, expiresAt, slices, resource: command.resource }) - 1;
    const allocations = slices.map((part) => this.heldSlice(part));
    this.emit('CreditsHeld', {
      holdId: `hold#${String(number)}`,
      amount,
      ...(amount < command.amount ? { requested: command.amount } : {}),
      allocations,
      ...(command.resource === null ? {} : { resource: command.resource }),
      expiresAt,
      owner: 'caller',
      burnOrder: this.burnOrder(),
    });
  }

  protected openHold(holdId: string): number {
    const number = this.books.holds.findIndex((_, index) => holdId === `hold#${String(index)}`);
    if (number < 0) refuse('hold_not_found');
    if (!this.books.holds[number]!.open) refuse('hold_not_open');
    return number;
  }

  protected heldBy(hold: ModelHold): number {
    return sum(hold.slices.map((part) => part.amount));
  }

  protected extend(holdId: string, expiresInSeconds: number): void {
    const hold = this.books.holds[this.openHold(holdId)]!;
    const requested = plusSeconds(this.at, expiresInSeconds);
    if (requested > hold.expiresAt) hold.expiresAt = requested;
    this.emit('HoldExtended', {
      holdId,
      remaining: this.heldBy(hold),
      expiresAt: hold.expiresAt,
      heldAllocations: hold.slices.map((part) => this.heldSlice(part)),
    });
  }

  protected raise(holdId: string, amount: number): void {
    if (this.books.settings.status === 'frozen') refuse('account_frozen');
    const hold = this.books.holds[this.openHold(holdId)]!;
    if (amount > balanceOf(this.books).available) this.insufficient(amount);
    const added = this.choose(amount);
    for (const part of added) {
      this.move(part.grant, 'free', 'held', part.amount);
      const pinned = hold.slices.find(({ grant }) => grant === part.grant);
      if (pinned === undefined) hold.slices.push({ ...part });
      else pinned.amount += part.amount;
    }
    this.emit('HoldRaised', {
      holdId,
      amount,
      allocations: added.map((part) => this.heldSlice(part)),
      burnOrder: this.burnOrder(),
      remaining: this.heldBy(hold),
      expiresAt: hold.expiresAt,
      heldAllocations: hold.slices.map((part) => this.heldSlice(part)),
    });
  }

  protected capture(command: { holdId: string; amount: number | null; final: boolean }): void {
    const number = this.openHold(command.holdId);
    const hold = this.books.holds[number]!;
    const remaining = this.heldBy(hold);
    const amount = command.amount ?? remaining;
    if (amount > remaining) refuse('amount_exceeds_hold');
    let rest = amount;
    const uses: Use[] = [];
    for (const part of hold.slices) {
      const taken = Math.min(rest, part.amount);
      if (taken === 0) continue;
      uses.push(this.use(part.grant, 'held', 'consumed', taken));
      part.amount -= taken;
      rest -= taken;
    }
    hold.slices = hold.slices.filter((part) => part.amount > 0);
    const consumptionId = `con#${String(this.books.consumptions.push({ amount, uses, debt: null, reversed: 0 }) - 1)}`;
    const final = command.final || hold.slices.length === 0;
    this.emit('HoldCaptured', {
      holdId: command.holdId,
      consumptionId,
      amount,
      allocations: uses.map((use) => this.slice(use)),
      ...(hold.resource === null ? {} : { resource: hold.resource }),
      final,
      remaining: remaining - amount,
      expiresAt: hold.expiresAt,
      heldAllocations: hold.slices.map((part) => this.heldSlice(part)),
    });
    if (final && hold.slices.length > 0) this.release(number, 'captured', this.at);
    if (final) hold.open = false;
  }
}
