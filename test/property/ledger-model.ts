import { assertNever } from '#kernel/assert.js';
import type { AccountCommand } from '#ledger/account-commands.js';
import type { RevocationCause, Settings, Source } from '#ledger/account-events.js';
import { balanceOf, refuse, Refusal, standing, sum, type Books, type ModelAnswer, type Use } from './model-books.js';
import { Spending } from './model-spending.js';

/**
 * A second, naive account: lists that are scanned, times that are searched, sums that are counted again each time. It shares
 * nothing with the decider but the types of its commands, so that a rule told wrongly in one of them shows as a difference.
 * Ids are symbolic (`gr#0`, `con#1`, `hold#0`, `debt#0`), in the order in which things come into being.
 */
/** What `command` does at `at`: the answer, and the books after it. The given books are left as they were. */
export function runModel(before: Books, command: AccountCommand, at: string): { answer: ModelAnswer; books: Books } {
  const session = new Session(structuredClone(before), at);
  try {
    session.passTime();
    session.execute(command);
    session.settleClaims(at);
    session.passTime();
    session.repayOwed(at);
  } catch (error) {
    if (error instanceof Refusal) return { answer: error.answer, books: before };
    throw error;
  }
  return { answer: { kind: 'recorded', events: session.events }, books: session.books };
}

/** The books as they stand at `at` when nobody records anything: what a reader of the balance must see. */
export function booksAt(books: Books, at: string): Books {
  const session = new Session(structuredClone(books), at);
  session.passTime();
  return session.books;
}

class Session extends Spending {
  execute(command: AccountCommand): void {
    const closedAllows = ['RecordDue', 'RevokeCredits', 'ReinstateCredits', 'SettlePayment', 'CloseAccount'].includes(
      command.type,
    );
    if (this.books.settings.status === 'closed' && !closedAllows) refuse('account_closed');
    switch (command.type) {
      case 'GrantCredits':
        this.grant(command);
        return;
      case 'ConsumeCredits':
        this.consume(command.amount, command.usage, command.resource);
        return;
      case 'ReverseConsumption':
        this.reverse(command);
        return;
      case 'HoldCredits':
        this.hold(command.amount, command.expiresInSeconds);
        return;
      case 'ExtendHold':
        this.extend(command.holdId, command.expiresInSeconds);
        return;
      case 'CaptureHold':
        this.capture(command);
        return;
      case 'ReleaseHold':
        this.release(this.openHold(command.holdId), 'released', this.at);
        return;
      case 'AdjustCredits':
        this.adjust(command.amount, command.reason);
        return;
      case 'RevokeCredits':
        this.revoke(command);
        return;
      case 'ReinstateCredits':
        this.reinstate(command);
        return;
      case 'ChangeSettings':
        this.changeSettings(command);
        return;
      case 'FreezeAccount':
        this.changeStatus('active', 'frozen', 'AccountFrozen', command.reason);
        return;
      case 'UnfreezeAccount':
        this.changeStatus('frozen', 'active', 'AccountUnfrozen', command.reason);
        return;
      case 'CloseAccount':
        this.changeStatus(this.books.settings.status, 'closed', 'AccountClosed', command.reason);
        return;
      case 'SettlePayment':
        this.claim(command);
        return;
      case 'GrantPeriod':
      case 'ChangePeriod':
      case 'EndSubscription':
      case 'KeepFreeMonths':
        throw new Error('model: what subscriptions give is not modelled');
      case 'RecordDue':
        return;
      default:
        assertNever(command);
    }
  }

  /** The newest version counts. */
  private claim({ paymentReference, version, paid, claims }: Extract<AccountCommand, { type: 'SettlePayment' }>): void {
    const known = this.books.payments[paymentReference];
    if (known !== undefined && known.version >= version) return;
    this.open();
    this.books.payments[paymentReference] = { version, paid, claims };
  }

  private grant(asked: {
    amount: number;
    source: Source;
    priority: number;
    effectiveAt: string | null;
    expiresAt: string | null;
    costBasis: { amount: number; currency: string } | null;
    adjustment?: boolean;
    paymentReference: string | null;
  }): void {
    const effectiveAt = asked.effectiveAt ?? this.at;
    if (asked.expiresAt !== null && asked.expiresAt <= this.at) refuse('grant_expired');
    if (asked.expiresAt !== null && asked.expiresAt <= effectiveAt) refuse('invalid_expiry');
    const lifetime = sum(this.books.grants.map((grant) => grant.amount));
    if (lifetime > Number.MAX_SAFE_INTEGER - asked.amount) refuse('balance_limit_exceeded');
    this.open();
    const activated = effectiveAt <= this.at;
    this.books.grants.push({
      source: asked.source,
      priority: asked.priority,
      revision: this.books.revision + 1,
      amount: asked.amount,
      effectiveAt,
      expiresAt: asked.expiresAt,
      currency: asked.costBasis?.currency ?? null,
      paid: (asked.costBasis?.amount ?? 0) > 0,
      costLeft: asked.costBasis?.amount ?? 0,
      paymentReference: asked.paymentReference,
      activated,
      scheduled: activated ? 0 : asked.amount,
      free: activated ? asked.amount : 0,
      held: 0,
      consumed: 0,
      expired: 0,
      revoked: 0,
      repaid: 0,
      reserved: 0,
      claimed: 0,
    });
    const number = this.books.grants.length - 1;
    this.emit('CreditsGranted', {
      grantId: `gr#${String(number)}`,
      amount: asked.amount,
      source: asked.source,
      priority: asked.priority,
      effectiveAt,
      expiresAt: asked.expiresAt,
      costBasis: asked.costBasis,
      paymentReference: asked.paymentReference,
      adjusted: asked.adjustment ?? false,
    });
  }

  private adjust(amount: number, reason: string): void {
    if (amount > 0) {
      this.grant({
        amount,
        source: 'adjustment',
        priority: 50,
        effectiveAt: null,
        expiresAt: null,
        costBasis: null,
        adjustment: true,
        paymentReference: null,
      });
      return;
    }
    const wanted = -amount;
    if (wanted > balanceOf(this.books).available) this.insufficient(wanted);
    const uses = this.choose(wanted).map((part) => this.use(part.grant, 'free', 'revoked', part.amount));
    const cause: RevocationCause = { kind: 'adjustment', id: 'adj' };
    this.noteRevocations(uses, cause);
    this.emit('CreditsRevoked', {
      amount: wanted,
      allocations: uses.map((use) => this.slice(use)),
      scheduled: 0,
      expired: 0,
      writtenOff: 0,
      grantId: null,
      cause,
      reason,
    });
  }

  private grantNumber(grantId: string): number {
    const number = this.books.grants.findIndex((_, index) => grantId === `gr#${String(index)}`);
    return number < 0 ? refuse('grant_not_found') : number;
  }

  /** What of a grant revocations have asked back beyond what was free: written off, or owed, paid back or not. */
  private revocationDebt(number: number): number {
    const debts = this.books.debts.filter((debt) => debt.revocation?.grant === number);
    const writeOffs = this.books.writeOffs.filter(({ grant }) => grant === number);
    return sum(writeOffs.map(({ amount }) => amount)) + sum(debts.map(standing));
  }

  private revoke(command: { grantId: string; amount: number; cause: RevocationCause; reason: string | null }): void {
    const number = this.grantNumber(command.grantId);
    const grant = this.books.grants[number]!;
    const left =
      grant.scheduled + grant.free + grant.held + grant.consumed + grant.repaid - this.revocationDebt(number);
    const amount = Math.min(command.amount, Math.max(0, left));
    const bucket = grant.scheduled > 0 ? 'scheduled' : 'free';
    const taken = Math.min(amount, grant[bucket]);
    const asDebt = this.books.settings.debtPolicy === 'debt' ? amount - taken : 0;
    const writtenOff = amount - taken - asDebt;
    if (taken + writtenOff > 0) {
      const uses = taken > 0 ? [this.use(number, bucket, 'revoked', taken)] : [];
      this.noteRevocations(uses, command.cause);
      if (writtenOff > 0) this.books.writeOffs.push({ grant: number, cause: command.cause, amount: writtenOff });
      this.emit('CreditsRevoked', {
        amount: taken,
        allocations: uses.map((use) => this.slice(use)),
        scheduled: bucket === 'scheduled' ? taken : 0,
        expired: 0,
        writtenOff,
        grantId: command.grantId,
        cause: command.cause,
        reason: command.reason,
      });
    }
    if (asDebt > 0)
      this.incur(asDebt, { grant: number, cause: command.cause }, { ...command.cause, grantId: command.grantId });
  }

  /** Undoes debt first, newest first, and what was written off, then gives back what was taken. */
  private reinstate(command: { grantId: string; amount: number; cause: RevocationCause }): void {
    const number = this.grantNumber(command.grantId);
    const same = (cause: RevocationCause): boolean =>
      cause.kind === command.cause.kind && cause.id === command.cause.id;
    let rest = command.amount;
    for (const [debtNumber, debt] of [...this.books.debts.entries()].toReversed()) {
      if (debt.revocation?.grant !== number || !same(debt.revocation.cause)) continue;
      const amount = Math.min(rest, standing(debt));
      if (amount === 0) continue;
      rest -= amount;
      this.forgive(debtNumber, amount, command.cause);
    }
    let writtenOff = 0;
    for (const each of this.books.writeOffs) {
      if (each.grant !== number || !same(each.cause)) continue;
      const undone = Math.min(rest, each.amount);
      each.amount -= undone;
      rest -= undone;
      writtenOff += undone;
    }
    const revocation = this.books.revocations.find((each) => each.grant === number && same(each.cause));
    const amount = Math.min(rest, revocation === undefined ? 0 : revocation.amount - revocation.returned);
    if (amount + writtenOff > 0) {
      const { activated, expiresAt } = this.books.grants[number]!;
      const scheduled = !activated;
      const expired = expiresAt !== null && expiresAt <= this.at;
      const place = expired ? 'expired' : scheduled ? 'scheduled' : 'free';
      const back =
        revocation === undefined || amount === 0
          ? null
          : this.slice(this.giveBack(revocation, 'revoked', amount, place));
      const { grantId, cause } = command;
      const what = { grantId, amount, cost: back?.cost ?? null, writtenOff, scheduled, expired, cause };
      this.emit('CreditsReinstated', what);
    }
    this.passTime();
  }

  /** What one cause takes of one grant adds up. */
  private noteRevocations(uses: readonly Use[], cause: RevocationCause): void {
    for (const use of uses) {
      const before = this.books.revocations.find(
        (each) => each.grant === use.grant && each.cause.kind === cause.kind && each.cause.id === cause.id,
      );
      if (before === undefined) this.books.revocations.push({ ...use, cause });
      else {
        before.amount += use.amount;
        if (before.cost !== null) before.cost += use.cost ?? 0;
      }
    }
  }

  private changeSettings(command: Extract<AccountCommand, { type: 'ChangeSettings' }>): void {
    const names = {
      burnOrder: 'BurnOrderChanged',
      overdraftLimit: 'OverdraftLimitChanged',
      debtPolicy: 'DebtPolicyChanged',
      lowBalanceThreshold: 'LowBalanceThresholdChanged',
    } as const;
    for (const field of Object.keys(names) as (keyof typeof names)[]) {
      const value = command[field];
      if (value === undefined || value === this.books.settings[field]) continue;
      this.open();
      this.books.settings = { ...this.books.settings, [field]: value };
      this.emit(names[field], { settings: this.books.settings });
    }
  }

  private changeStatus(from: Settings['status'], to: Settings['status'], type: string, reason: string): void {
    if (this.books.settings.status !== from || from === to) return;
    this.open();
    this.books.settings = { ...this.books.settings, status: to };
    this.emit(type, { settings: this.books.settings, reason });
  }
}
