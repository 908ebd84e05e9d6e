import { sum } from './books.js';
import { Claiming } from './claiming.js';

/** What time does by itself: grants become effective, holds time out, grants expire. */
export class Time extends Claiming {
  passTime(): void {
    for (;;) {
      const due = this.nextDue();
      if (due === null) return;
      const at = due.when < this.books.newest ? this.books.newest : due.when;
      due.act();
      const next = this.nextDue();
      if (next !== null && next.when <= at) continue;
      this.settleClaims(at);
      this.repayOwed(at);
    }
  }

  protected nextDue(): { when: string; rank: number; order: number; act: () => void } | null {
    const due = [
      ...this.books.grants.flatMap((grant, number) =>
        grant.scheduled > 0 && grant.effectiveAt <= this.at
          ? [
              {
                when: grant.effectiveAt,
                rank: 0,
                order: number,
                act: () => {
                  this.activate(number);
                },
              },
            ]
          : [],
      ),
      ...this.books.holds.flatMap((hold, number) =>
        hold.open && hold.expiresAt <= this.at
          ? [
              {
                when: hold.expiresAt,
                rank: 1,
                order: number,
                act: () => {
                  this.release(number, 'expired', hold.expiresAt);
                },
              },
            ]
          : [],
      ),
      // What a claim reserves is reserved until its grant expires.
      ...this.books.grants.flatMap((grant, number) =>
        grant.reserved > 0 && grant.expiresAt !== null && grant.expiresAt <= this.at
          ? [
              {
                when: grant.expiresAt,
                rank: 1,
                order: number,
                act: () => {
                  this.move(number, 'held', 'free', grant.reserved);
                  grant.reserved = 0;
                },
              },
            ]
          : [],
      ),
      ...this.books.grants.flatMap((grant, number) =>
        grant.activated && grant.free > 0 && grant.expiresAt !== null && grant.expiresAt <= this.at
          ? [
              {
                when: grant.expiresAt,
                rank: 2,
                order: number,
                act: () => {
                  this.expire(number, grant.expiresAt!);
                },
              },
            ]
          : [],
      ),
    ];
    due.sort((a, b) => (a.when === b.when ? a.rank - b.rank || a.order - b.order : a.when < b.when ? -1 : 1));
    return due[0] ?? null;
  }

  protected activate(number: number): void {
    const grant = this.books.grants[number]!;
    grant.activated = true;
    const amount = grant.scheduled;
    this.move(number, 'scheduled', 'free', amount);
    this.emit('CreditsActivated', { grantId: `gr#${String(number)}`, amount }, grant.effectiveAt);
  }

  protected expire(number: number, when: string): void {
    const use = this.use(number, 'free', 'expired', this.books.grants[number]!.free);
    const { grantId, amount, cost } = this.slice(use);
    this.emit('CreditsExpired', { grantId, amount, cost }, when);
  }

  protected release(number: number, reason: string, when: string): void {
    const hold = this.books.holds[number]!;
    const slices = hold.slices;
    hold.open = false;
    hold.slices = [];
    for (const part of slices) this.move(part.grant, 'held', 'free', part.amount);
    const allocations = slices.map((part) => this.heldSlice(part));
    this.emit(
      'HoldReleased',
      {
        holdId: `hold#${String(number)}`,
        amount: sum(slices.map((part) => part.amount)),
        allocations,
        reason,
        expiresAt: hold.expiresAt,
      },
      when,
    );
    if (reason !== 'expired') this.passTime();
  }
}
