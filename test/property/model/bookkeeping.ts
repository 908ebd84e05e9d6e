import type { Slice } from '#ledger/account/events.js';
import {
  balanceOf,
  shareOf,
  sum,
  type Books,
  type Bucket,
  type ModelDebt,
  type ModelEvent,
  type Use,
} from './books.js';

/** Moves credits between the places where they can be, and writes down what happened. */
export class Bookkeeping {
  readonly events: ModelEvent[] = [];

  constructor(
    readonly books: Books,
    readonly at: string,
  ) {}

  protected emit(type: string, fields: Record<string, unknown>, due = this.at): void {
    this.books.revision += 1;
    const at = due < this.books.newest ? this.books.newest : due;
    this.books.newest = at;
    this.events.push({ type, at, balance: balanceOf(this.books), ...fields });
  }

  protected move(grantNumber: number, from: Bucket, to: Bucket, amount: number): void {
    const grant = this.books.grants[grantNumber]!;
    if (grant[from] < amount || amount < 0)
      throw new Error(`model: ${from} of gr#${String(grantNumber)} would be negative`);
    grant[from] -= amount;
    grant[to] += amount;
  }

  /** Uses credits up: their share of the money that is left goes with them. */
  protected use(grantNumber: number, from: 'scheduled' | 'free' | 'held', to: Bucket, amount: number): Use {
    const grant = this.books.grants[grantNumber]!;
    const left = grant.scheduled + grant.free + grant.held;
    const cost = grant.currency === null ? null : shareOf(grant.costLeft, amount, left);
    grant.costLeft -= cost ?? 0;
    this.move(grantNumber, from, to, amount);
    return { grant: grantNumber, amount, cost, returned: 0, returnedCost: 0 };
  }

  /**
   * Undoes a part of a use. Of a consumption all parts given back so far have together their rounded share of its recorded
   * cost; of all else each part has the rounded share of what is left.
   */
  protected giveBack(use: Use, from: 'consumed' | 'repaid' | 'transferred', amount: number): Use {
    const recorded = use.cost ?? 0;
    const share =
      from === 'consumed'
        ? shareOf(recorded, use.returned + amount, use.amount) - use.returnedCost
        : shareOf(recorded - use.returnedCost, amount, use.amount - use.returned);
    const cost = use.cost === null ? null : share;
    use.returnedCost += cost ?? 0;
    use.returned += amount;
    this.books.grants[use.grant]!.costLeft += cost ?? 0;
    this.move(use.grant, from, 'free', amount);
    return { grant: use.grant, amount, cost, returned: 0, returnedCost: 0 };
  }

  protected slice(use: Use): Slice {
    const grant = this.books.grants[use.grant]!;
    const cost = use.cost === null || grant.currency === null ? null : { amount: use.cost, currency: grant.currency };
    return { grantId: `gr#${String(use.grant)}`, source: grant.source, amount: use.amount, cost };
  }

  protected heldSlice(part: { grant: number; amount: number }): object {
    return { grantId: `gr#${String(part.grant)}`, source: this.books.grants[part.grant]!.source, amount: part.amount };
  }

  /** Nothing is available while something is owed: the oldest grant pays the oldest debt. */
  repayOwed(when: string): void {
    for (const [number, grant] of this.books.grants.entries()) if (grant.activated) this.repayDebts(number, when);
  }

  private repayDebts(number: number, when: string): void {
    for (const [debtNumber, debt] of this.books.debts.entries()) {
      const amount = Math.min(debt.owed, this.books.grants[number]!.free);
      if (amount === 0) continue;
      const use = this.use(number, 'free', 'repaid', amount);
      debt.owed -= amount;
      debt.repayments.push(use);
      const { grantId, cost } = this.slice(use);
      this.emit('DebtRepaid', { debtId: `debt#${String(debtNumber)}`, grantId, amount, cost }, when);
    }
  }

  protected giveBackNewestFirst(uses: Use[], from: 'consumed' | 'repaid', amount: number): Use[] {
    const back: Use[] = [];
    for (const use of uses.toReversed()) {
      const part = Math.min(amount - sum(back.map((each) => each.amount)), use.amount - use.returned);
      if (part > 0) back.push(this.giveBack(use, from, part));
    }
    return back;
  }

  /** Undoes a part of a debt: what is still owed is forgiven, what was repaid returns. */
  protected forgive(number: number, amount: number, cause: { kind: string; id: string }): void {
    const debt = this.books.debts[number]!;
    const forgiven = Math.min(amount, debt.owed);
    debt.owed -= forgiven;
    const restored = this.giveBackNewestFirst(debt.repayments, 'repaid', amount - forgiven);
    this.emit('DebtForgiven', {
      debtId: `debt#${String(number)}`,
      amount: forgiven,
      restored: restored.map((use) => this.slice(use)),
      cause,
    });
  }

  protected incur(
    amount: number,
    claim: ModelDebt['claim'],
    cause: { kind: string; id: string; grantId: string | null },
  ): number {
    const number = this.books.debts.push({ owed: amount, repayments: [], claim }) - 1;
    this.emit('DebtIncurred', { debtId: `debt#${String(number)}`, amount, cause });
    return number;
  }

  protected open(): void {
    if (this.books.opened) return;
    this.books.opened = true;
    this.emit('AccountOpened', { customerId: 'acme', unit: 'credits' });
  }
}
