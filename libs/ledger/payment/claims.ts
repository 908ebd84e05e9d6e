import type { Instant } from '#kernel/instant.js';

export type RefundFact = {
  readonly refundId: string;
  /** Left out in what was recorded before currencies were compared. */
  readonly currency?: string;
  readonly amount: number;
  readonly status: 'pending' | 'succeeded' | 'failed';
  readonly createdAt: Instant;
};
export type DisputeFact = {
  readonly disputeId: string;
  readonly currency?: string;
  readonly amount: number;
  /** What the bank gave back of it although the dispute is lost. */
  readonly reinstated: number;
  /** An inquiry moves no money. `won` also stands for closed without loss. */
  readonly status: 'inquiry' | 'open' | 'lost' | 'won';
  readonly createdAt: Instant;
};
/** What a credit note is for. All amounts of lines are before discounts and tax; `total` is what the note is worth with both. */
export type NoteContent = {
  /** Minor units of the whole note, of which `before` made an invoice smaller before it was paid: that is no money that goes back. */
  readonly total: number;
  readonly before: number;
  /** Lines of the invoice. */
  readonly lines: readonly BoughtLine[];
  /** What is for no line of the invoice, and so a share of all. */
  readonly other: number;
};

export type CreditNoteFact = {
  readonly creditNoteId: string;
  readonly currency?: string;
  /** What it gives back of paid money beyond the refunds that it names. */
  readonly amount: number;
  readonly status: 'issued' | 'void';
  readonly createdAt: Instant;
  /** A refund whose amount the note does not tell: what that one gives back is part of `amount` here, and is known with it. */
  readonly refundId?: string;
  /** The refunds that it names, and how much of each is the note's: beside `amount`. */
  readonly refunds?: readonly { readonly id: string; readonly amount: number }[];
  /** What it is for; left out where it does not say so. */
  readonly content?: NoteContent;
};
/** The sum of all refunds of a charge, as the charge reports it. */
export type ChargeRefunds = {
  readonly chargeId: string;
  readonly currency?: string;
  readonly amount: number;
  readonly createdAt: Instant;
};

/**
 * What is known of money that went back, or may. Each fact only ever moves forward, so facts may be reported in any order and any
 * number of times.
 */
export type MoneyBack = {
  readonly refunds: readonly RefundFact[];
  readonly disputes: readonly DisputeFact[];
  readonly creditNotes: readonly CreditNoteFact[];
  readonly chargeRefunds: readonly ChargeRefunds[];
};

export const NO_MONEY_BACK: MoneyBack = { refunds: [], disputes: [], creditNotes: [], chargeRefunds: [] };

/** Only what is of the payment's own currency: other amounts say nothing about its credits. */
export function inCurrency({ refunds, disputes, creditNotes, chargeRefunds }: MoneyBack, own: string): MoneyBack {
  const fits = ({ currency = own }: { readonly currency?: string }): boolean => currency === own;
  return {
    refunds: refunds.filter(fits),
    disputes: disputes.filter(fits),
    creditNotes: creditNotes.filter(fits),
    chargeRefunds: chargeRefunds.filter(fits),
  };
}

/** A line of the invoice that a grant was bought with: its amount before discounts, in minor units; negative for what it gives back. */
export type BoughtLine = { readonly id: string; readonly amount: number };

/** A part of a payment that was taken back (`taken`), or may be (`reserved`: a refund under way, a dispute not decided). */
export type Claim = {
  readonly cause: { readonly kind: 'refund' | 'dispute'; readonly id: string };
  readonly state: 'taken' | 'reserved';
  readonly amount: number;
  readonly since: Instant;
  /** The lines of the invoice that `money` of the amount was for; the rest is a share of all. Left out where all of it is. */
  readonly byLines?: ByLines;
};

/** The money that claims are shares of, in minor units. */
export type Paid = {
  /** All that was paid for the thing. */
  readonly paid: number;
  /** What came in beyond that, and goes back first; left out for none. */
  readonly overpaid?: number;
  /** What credit notes by lines took off before the payment; left out where none did. */
  readonly creditedBefore?: readonly ByLines[];
};

/** Of each line as much as goes back of it, in minor units of the line's own amount: before discounts and tax. */
export type ByLines = { readonly money: number; readonly lines: readonly BoughtLine[] };

const refundRank = { pending: 0, succeeded: 1, failed: 2 } as const;
const disputeRank = { inquiry: 0, open: 1, lost: 2, won: 3 } as const;
const noteRank = { issued: 0, void: 1 } as const;

/** Amounts of other currencies are other facts: one that was misread does not stand in the way of what is right. */
const sameCurrency = (a: { readonly currency?: string }, b: { readonly currency?: string }): boolean =>
  (a.currency ?? b.currency) === (b.currency ?? a.currency);

/** The list with `fact` in it; the same list when it says nothing new. */
function merged<Fact>(
  list: readonly Fact[],
  fact: Fact,
  same: (other: Fact) => boolean,
  join: (a: Fact) => Fact | null,
): readonly Fact[] {
  const index = list.findIndex(same);
  const before = list[index];
  if (before === undefined) return [...list, fact];
  const after = join(before);
  return after === null ? list : list.with(index, after);
}

/** The refunds with one more reported: its newest status counts. The same list when that is not new. */
export const withRefund = (list: readonly RefundFact[], fact: RefundFact): readonly RefundFact[] =>
  merged(
    list,
    fact,
    (known) => known.refundId === fact.refundId && sameCurrency(known, fact),
    (before) => (refundRank[fact.status] > refundRank[before.status] ? fact : null),
  );

/**
 * The disputes with one more reported: the furthest status, and the most that was disputed and given back. The same list when that is
 * not new.
 */
export const withDispute = (list: readonly DisputeFact[], fact: DisputeFact): readonly DisputeFact[] =>
  merged(
    list,
    fact,
    (known) => known.disputeId === fact.disputeId && sameCurrency(known, fact),
    (before) => {
      const later = disputeRank[fact.status] > disputeRank[before.status] ? fact : before;
      const reinstated = Math.max(before.reinstated, fact.reinstated);
      const amount = Math.max(before.amount, fact.amount);
      const same = later === before && reinstated === before.reinstated && amount === before.amount;
      return same ? null : { ...later, reinstated, amount };
    },
  );

/** The credit notes with one more reported: void counts. The same list when that is not new. */
export const withCreditNote = (list: readonly CreditNoteFact[], fact: CreditNoteFact): readonly CreditNoteFact[] =>
  merged(
    list,
    fact,
    (known) => known.creditNoteId === fact.creditNoteId && sameCurrency(known, fact),
    (before) => (noteRank[fact.status] > noteRank[before.status] ? fact : null),
  );

/** The charges' sums with one more reported: the greatest counts, since it was first reported. The same list when that is not new. */
export const withChargeRefunds = (list: readonly ChargeRefunds[], fact: ChargeRefunds): readonly ChargeRefunds[] =>
  merged(
    list,
    fact,
    (known) => known.chargeId === fact.chargeId && sameCurrency(known, fact),
    (before) => (isSoonerOrMore(fact, before) ? fact : null),
  );

const isSoonerOrMore = (a: ChargeRefunds, b: ChargeRefunds): boolean =>
  a.amount === b.amount ? a.createdAt < b.createdAt : a.amount > b.amount;

const bySinceAndId = (a: Claim, b: Claim): number => {
  const [first, second] = [`${a.since} ${a.cause.id}`, `${b.since} ${b.cause.id}`];
  return first < second ? -1 : first > second ? 1 : 0;
};

/** The claims in the one order that all amounts are computed in. */
export const sortedClaims = (claims: readonly Claim[]): readonly Claim[] => claims.toSorted(bySinceAndId);

/** What a credit note gives back beyond the refund that it names; nothing while that one is not known. */
function beyondRefund({ amount, refundId }: CreditNoteFact, refunds: readonly Claim[]): number {
  if (refundId === undefined) return amount;
  const refund = refunds.find(({ cause }) => cause.id === refundId);
  return refund === undefined ? 0 : amount - refund.amount;
}

/**
 * What the facts claim of the payment, beside what is claimed of it by `others`' facts. A charge's sum of refunds claims only what
 * no refund that is known explains: its refunds may be reported one by one, or never.
 */
export function claimsOf(
  { refunds, disputes, creditNotes, chargeRefunds }: MoneyBack,
  others: readonly Claim[] = [],
): readonly Claim[] {
  const claims: Claim[] = [];
  const add = (kind: 'refund' | 'dispute', id: string, state: Claim['state'], amount: number, since: Instant): void => {
    if (amount > 0) claims.push({ cause: { kind, id }, state, amount, since });
  };
  for (const { refundId, status, amount, createdAt } of refunds) {
    if (status !== 'failed') add('refund', refundId, status === 'succeeded' ? 'taken' : 'reserved', amount, createdAt);
  }
  let explained = refunds.reduce((sum, { amount }) => sum + amount, 0);
  for (const { chargeId, amount, createdAt } of chargeRefunds.toSorted((a, b) => (a.chargeId < b.chargeId ? -1 : 1))) {
    add('refund', chargeId, 'taken', amount - explained, createdAt);
    explained = Math.max(0, explained - amount);
  }
  for (const note of creditNotes) {
    const amount = beyondRefund(note, [...claims, ...others]);
    if (note.status === 'issued') add('refund', note.creditNoteId, 'taken', amount, note.createdAt);
  }
  for (const { disputeId, status, amount, reinstated, createdAt } of disputes) {
    if (status === 'open') add('dispute', disputeId, 'reserved', amount, createdAt);
    if (status === 'lost') add('dispute', disputeId, 'taken', amount - reinstated, createdAt);
  }
  return sortedClaims(claims);
}
