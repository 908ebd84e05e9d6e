import type { RevocationCause } from '#ledger/account/events.js';
import { Terms } from './terms.js';
import { standing, sum, type ModelGrant } from './books.js';
import { sharesOfClaims, type ClaimedLot, type Share } from './claims.js';

const isOver = ({ expiresAt }: ModelGrant, at: string): boolean => expiresAt !== null && expiresAt <= at;
const same = (a: RevocationCause, b: RevocationCause): boolean => a.kind === b.kind && a.id === b.id;
const distinct = (causes: readonly RevocationCause[]): readonly RevocationCause[] =>
  causes.filter((cause, index) => causes.findIndex((other) => same(cause, other)) === index);
const spentOf = (shares: readonly Share[], grant: number, cause: RevocationCause): number =>
  sum(shares.filter((share) => share.grant === grant && same(share.claim.cause, cause)).map(({ spent }) => spent));

/** What refunds and disputes leave of the grants that their payments bought. */
export class Claiming extends Terms {
  /**
   * Makes the grants of each payment what its claims leave of them. All that claims have taken and reserved is put back where it
   * would be without them, and taken again; of spent credits only the difference becomes debt, or is none any more.
   */
  settleClaims(at: string): void {
    this.putBackTerms(at);
    this.grantChanges();
    let cameBack = false;
    // Debt that is undone gives credits back to what had repaid it, perhaps of a payment with claims, too.
    while (Object.keys(this.books.payments).some((reference) => this.settleClaimsOf(reference, at))) cameBack = true;
    // Changes of plan and ends take only what claims leave.
    this.settleTrials(at);
    this.settleTerms();
    // What had repaid one claim's debt repays what another claim makes of it, before it may expire.
    if (cameBack) this.repayOwed(at);
  }

  /** Answers whether credits came back to what had repaid a debt. */
  private settleClaimsOf(reference: string, at: string): boolean {
    const { paid, claims } = this.books.payments[reference]!;
    const numbers = [...this.books.grants.keys()].filter(
      (number) => (this.books.grants[number]!.lot ?? this.books.grants[number]!.paymentReference) === reference,
    );
    const putBack = new Map(numbers.map((number) => [number, this.putBack(number, at)]));
    const shares = sharesOfClaims(
      numbers.map((number) => this.lotOf(number)),
      paid,
      claims,
    );
    const cameBack = numbers.map((number) => this.giveUpAsked(number, shares)).includes(true);
    for (const number of numbers) this.take(number, shares, putBack.get(number)!, at);
    for (const number of numbers) this.askBack(number, shares);
    for (const number of numbers) this.passOn(number, shares);
    return cameBack;
  }

  /** Answers how much claims had taken for good. */
  private putBack(number: number, at: string): number {
    const grant = this.books.grants[number]!;
    const unused = this.unusedOf(grant, at);
    const { claimed } = grant;
    this.move(number, 'held', unused, grant.reserved);
    this.move(number, 'revoked', unused, claimed);
    grant.reserved = 0;
    grant.claimed = 0;
    return claimed;
  }

  private lotOf(number: number): ClaimedLot {
    const grant = this.books.grants[number]!;
    const { amount, effectiveAt, expiresAt, scheduled, free, expired, consumed, held, repaid } = grant;
    const spent = consumed + held + repaid;
    const { transferred: given, withdrawn } = grant;
    const unspent = scheduled + free + expired;
    return { grant: number, amount, effectiveAt, expiresAt, unspent, withdrawn, given, spent };
  }

  /** What is asked back of a grant's spent credits: debt that stands, repaid or not, and what was written off. */
  private asked(number: number): readonly { cause: RevocationCause; amount: number }[] {
    const debts = this.books.debts.flatMap((debt) =>
      debt.claim?.grant === number ? [{ cause: debt.claim.cause, amount: standing(debt) }] : [],
    );
    return [...debts, ...this.books.writeOffs.filter(({ grant }) => grant === number)];
  }

  private askedBy(number: number, { kind, id }: RevocationCause): number {
    return sum(
      this.asked(number)
        .filter(({ cause }) => cause.kind === kind && cause.id === id)
        .map(({ amount }) => amount),
    );
  }

  /** Undoes what is asked too much: the newest debt first, then what was written off. Answers whether repayments came back. */
  private giveUpAsked(number: number, shares: readonly Share[]): boolean {
    let cameBack = false;
    for (const cause of distinct(this.asked(number).map((one) => one.cause))) {
      let rest = this.askedBy(number, cause) - spentOf(shares, number, cause);
      for (const [debtNumber, debt] of [...this.books.debts.entries()].toReversed()) {
        if (debt.claim?.grant !== number || !same(debt.claim.cause, cause)) continue;
        const amount = Math.min(Math.max(0, rest), standing(debt));
        if (amount > debt.owed) cameBack = true;
        if (amount > 0) this.forgive(debtNumber, amount, cause);
        rest -= amount;
      }
      for (const each of this.books.writeOffs) {
        if (each.grant !== number || !same(each.cause, cause)) continue;
        const amount = Math.min(Math.max(0, rest), each.amount);
        each.amount -= amount;
        rest -= amount;
      }
    }
    return cameBack;
  }

  /** First what was taken before, from where it was put back; then credits that can be used still, or never yet, before expired ones. */
  private take(number: number, shares: readonly Share[], before: number, at: string): void {
    const grant = this.books.grants[number]!;
    let again = before;
    for (const { claim, unspent } of shares.filter((share) => share.grant === number)) {
      const isReserved = claim.state === 'reserved';
      if (isReserved && (isOver(grant, at) || !grant.activated)) continue;
      const to = isReserved ? 'held' : 'revoked';
      const same = Math.min(unspent, again);
      this.move(number, this.unusedOf(grant, at), to, same);
      again -= same;
      let missing = unspent - same;
      for (const bucket of ['scheduled', 'free', 'expired'] as const) {
        const part = Math.min(missing, grant[bucket]);
        this.move(number, bucket, to, part);
        missing -= part;
      }
      grant[isReserved ? 'reserved' : 'claimed'] += unspent;
    }
  }

  private passOn(number: number, shares: readonly Share[]): void {
    const of = (state: Share['claim']['state']): number =>
      sum(shares.filter(({ grant, claim }) => grant === number && claim.state === state).map(({ given }) => given));
    this.books.grants[number]!.passedOn = { taken: of('taken'), reserved: of('reserved') };
  }

  private askBack(number: number, shares: readonly Share[]): void {
    for (const { cause } of shares
      .filter((share) => share.grant === number && share.spent > 0)
      .map(({ claim }) => claim)) {
      const amount = spentOf(shares, number, cause) - this.askedBy(number, cause);
      if (amount <= 0) continue;
      const grantId = `gr#${String(number)}`;
      if (this.books.settings.debtPolicy === 'debt')
        this.incur(amount, { grant: number, cause }, { ...cause, grantId });
      else this.books.writeOffs.push({ grant: number, cause, amount });
    }
  }
}
