import { assertNever } from '#kernel/assert.js';
import type { AccountCommand } from '#ledger/account/commands.js';
import type { RevocationCause, Settings, Source } from '#ledger/account/events.js';
import { balanceOf, refuse, Refusal, sum, type Books, type ModelAnswer } from './books.js';
import { Transferring } from './transferring.js';

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

class Session extends Transferring {
  execute(command: AccountCommand): void {
    const closedAllows = [
      'RecordDue',
      'SettlePayment',
      'FollowClaims',
      'ReturnTransfer',
      'MoveTrial',
      'EndSubscription',
      'RequestBilling',
      'CloseAccount',
    ].includes(command.type);
    if (this.books.settings.status === 'closed' && !closedAllows) refuse('account_closed');
    switch (command.type) {
      case 'GrantCredits':
        this.grant(command);
        return;
      case 'ConsumeCredits':
        this.consume(command);
        return;
      case 'ReverseConsumption':
        this.reverse(command);
        return;
      case 'HoldCredits':
        this.hold(command);
        return;
      case 'ExtendHold':
        this.extend(command.holdId, command.expiresInSeconds);
        return;
      case 'RaiseHold':
        this.raise(command.holdId, command.amount);
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
      case 'RevokeGrant':
        this.revokeGrant(command.grantId, command.amount, command.reason);
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
      case 'TransferCredits':
        this.send(command);
        return;
      case 'ReceiveTransfer':
        this.receive(command);
        return;
      case 'ReturnTransfer':
        this.takeBack(command);
        return;
      case 'FollowClaims':
        this.follow(command);
        return;
      case 'GrantPeriod':
        this.grantPeriod(command);
        return;
      case 'ChangePeriod':
        this.changePeriod(command);
        return;
      case 'EndSubscription':
        this.endSubscription(command);
        return;
      case 'AgreeTrial':
        this.agreeTrial(command);
        return;
      case 'MoveTrial':
        this.moveTrial(command);
        return;
      case 'KeepFreeMonths':
        this.keepFreeMonths(command);
        return;
      case 'RequestBilling':
        this.open();
        this.emit('BillingRequested', { operation: command.operation });
        return;
      case 'SetBudget':
      case 'RemoveBudget':
        throw new Error('budgets have a model of their own');
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
    this.add({ ...asked, effectiveAt });
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

  /** An operator takes what is unspent of one grant and not reserved. */
  private revokeGrant(grantId: string, wanted: number | null, reason: string): void {
    const number = this.books.grants.findIndex((_, index) => grantId === `gr#${String(index)}`);
    const grant = this.books.grants[number] ?? refuse('grant_not_found');
    const unspent = grant.scheduled + grant.free;
    const amount = wanted ?? unspent;
    if (amount === 0 || amount > unspent) throw new Refusal({ kind: 'refused', code: 'amount_exceeds_grant', unspent });
    const cause: RevocationCause = { kind: 'operator', id: 'rvk' };
    const bucket = grant.scheduled > 0 ? 'scheduled' : 'free';
    const use = this.use(number, bucket, 'revoked', amount);
    grant.withdrawn += amount;
    this.emit('CreditsRevoked', {
      amount,
      allocations: [this.slice(use)],
      scheduled: bucket === 'scheduled' ? amount : 0,
      ...{ expired: 0, writtenOff: 0, grantId, cause, reason },
    });
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
