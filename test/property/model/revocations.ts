import type { RevocationCause } from '#ledger/account/events.js';
import { Refusal, refuse, standing, sum, type Use } from './books.js';
import { Spending } from './spending.js';

/** What operators and causes of money that went back take of one grant, and give back. */
export class Revocations extends Spending {
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

  protected revoke(command: { grantId: string; amount: number; cause: RevocationCause; reason: string | null }): void {
    const number = this.grantNumber(command.grantId);
    const grant = this.books.grants[number]!;
    const left =
      grant.scheduled + grant.free + grant.held + grant.consumed + grant.repaid - this.revocationDebt(number);
    const amount = Math.min(command.amount, Math.max(0, left));
    const bucket = grant.scheduled > 0 ? 'scheduled' : 'free';
    const taken = Math.min(amount, grant[bucket]);
    const asDebt = this.books.settings.debtPolicy === 'debt' ? amount - taken : 0;
    const writtenOff = amount - taken - asDebt;
    const { grantId, cause, reason } = command;
    if (taken > 0) {
      const uses = [this.use(number, bucket, 'revoked', taken)];
      this.noteRevocations(uses, cause);
      this.emit('CreditsRevoked', {
        amount: taken,
        allocations: uses.map((use) => this.slice(use)),
        scheduled: bucket === 'scheduled' ? taken : 0,
        ...{ expired: 0, writtenOff: 0, grantId, cause, reason },
      });
    }
    if (writtenOff > 0) {
      this.books.writeOffs.push({ grant: number, cause, amount: writtenOff });
      const what = { amount: 0, allocations: [], scheduled: 0, expired: 0, writtenOff, grantId, cause, reason };
      this.emit('CreditsRevoked', what);
    }
    if (asDebt > 0)
      this.incur(asDebt, { grant: number, cause: command.cause }, { ...command.cause, grantId: command.grantId });
  }

  /** Takes only what is unspent and not reserved. */
  protected revokeGrant(grantId: string, wanted: number | null, reason: string): void {
    const number = this.grantNumber(grantId);
    const grant = this.books.grants[number]!;
    const unspent = grant.scheduled + grant.free;
    const amount = wanted ?? unspent;
    if (amount === 0 || amount > unspent) throw new Refusal({ kind: 'refused', code: 'amount_exceeds_grant', unspent });
    const cause = { kind: 'operator', id: 'rvk' } as const;
    this.revoke({ grantId, amount, cause, reason });
  }

  /** Undoes debt first, newest first, and what was written off, then gives back what was taken. */
  protected reinstate(command: { grantId: string; amount: number; cause: RevocationCause }): void {
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
  protected noteRevocations(uses: readonly Use[], cause: RevocationCause): void {
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
}
