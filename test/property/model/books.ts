import type { Claim } from '#ledger/payment/claims.js';
import type { DueTerm } from '../../lives/books/books.js';
import type { Deal } from '../../lives/books/unpaid-books.js';
import type { AgreedSeats, PlanChange, RevocationCause, Settings, Source } from '#ledger/account/events.js';

export type ModelEvent = { readonly type: string; readonly at: string; readonly [field: string]: unknown };
export type ModelAnswer =
  | {
      readonly kind: 'refused';
      readonly code: string;
      readonly available?: number;
      readonly required?: number;
      readonly unspent?: number;
    }
  | { readonly kind: 'recorded'; readonly events: readonly ModelEvent[] };

/** `returned` of the `amount` credits have been given back, and `returnedCost` with them. */
export type Use = { grant: number; amount: number; cost: number | null; returned: number; returnedCost: number };
export type ModelGrant = {
  source: Source;
  priority: number;
  revision: number;
  amount: number;
  effectiveAt: string;
  expiresAt: string | null;
  currency: string | null;
  /** Money was paid for it: a cost basis of nothing is free. */
  paid: boolean;
  /** Money of the cost basis that no use has taken yet. */
  costLeft: number;
  paymentReference: string | null;
  /** The lot of another customer that it was; null for all else. */
  lot: string | null;
  activated: boolean;
  scheduled: number;
  free: number;
  held: number;
  consumed: number;
  expired: number;
  revoked: number;
  repaid: number;
  transferred: number;
  /** What of `transferred` claims ask those for who received it: taken for good, and reserved. */
  passedOn: { taken: number; reserved: number };
  /** What of `held` claims reserve, and what of `revoked` they have taken. */
  reserved: number;
  claimed: number;
  /** What of `revoked` operators have taken. */
  withdrawn: number;
  /** What of `revoked` changes of plan and ends have taken. */
  takenByTerm: number;
  /** What of `revoked` ends at another time, with its trial. */
  takenByTrial: number;
  /** What a subscription gives it for. */
  term: ModelTerm | null;
};
export type ModelTerm = DueTerm & {
  readonly kind: 'period' | 'change' | 'rollover' | 'trial' | 'free';
  /** What was agreed of a paid period's plan. */
  readonly plan?: AgreedSeats;
  /** Of its first month: what was bought. */
  readonly bought?: Deal;
};
export type Bucket = 'scheduled' | 'free' | 'held' | 'consumed' | 'expired' | 'revoked' | 'repaid' | 'transferred';
export type ModelHold = {
  open: boolean;
  expiresAt: string;
  slices: { grant: number; amount: number }[];
  resource: unknown;
};
export type ModelConsumption = { amount: number; uses: Use[]; debt: number | null; reversed: number };
export type ModelDebt = {
  owed: number;
  /** What can come back when the debt's reason goes away: newest last. */
  repayments: Use[];
  /** Of a claim: the grant and cause. */
  claim: { grant: number; cause: RevocationCause } | null;
};
export type Books = {
  opened: boolean;
  revision: number;
  newest: string;
  settings: Settings;
  grants: ModelGrant[];
  holds: ModelHold[];
  consumptions: ModelConsumption[];
  debts: ModelDebt[];
  /** What claims asked of a grant when it was spent or reserved, and nobody owes; `amount` of it still stands. */
  writeOffs: { grant: number; cause: RevocationCause; amount: number }[];
  transfers: { toCustomerId: string; uses: Use[]; open: boolean }[];
  /** What is claimed of each payment, as reported last. */
  payments: Record<string, { version: number; paid: number; claims: readonly Claim[] }>;
  /** By subscription. */
  changes: Record<string, PlanChange[]>;
  ends: Record<string, string>;
  trials: Record<string, { amount: number; start: string; end: string; version: number }>;
};

export const emptyBooks = (): Books => ({
  opened: false,
  revision: -1,
  newest: '',
  settings: {
    status: 'active',
    burnOrder: 'purchased-first',
    overdraftLimit: 0,
    debtPolicy: 'debt',
    lowBalanceThreshold: null,
  },
  grants: [],
  holds: [],
  consumptions: [],
  debts: [],
  writeOffs: [],
  transfers: [],
  payments: {},
  changes: {},
  ends: {},
  trials: {},
});

export const sum = (numbers: readonly number[]): number => numbers.reduce((total, each) => total + each, 0);
export const plusSeconds = (at: string, seconds: number): string =>
  new Date(Date.parse(at) + seconds * 1000).toISOString();

/** `part` of `whole` shared out of `money`, rounded half up, in exact integers. */
export function shareOf(money: number, part: number, whole: number): number {
  const doubled = (2n * BigInt(money) * BigInt(part) + BigInt(whole)) / (2n * BigInt(whole));
  return Number(doubled);
}

export function balanceOf(books: Books): { available: number; held: number; debt: number } {
  return {
    available: sum(books.grants.map((grant) => grant.free)),
    held: sum(books.grants.map((grant) => grant.held)),
    debt: sum(books.debts.map((debt) => debt.owed)),
  };
}

/** What of a debt has not been forgiven: owed, or repaid and not returned. */
export const standing = (debt: ModelDebt): number =>
  debt.owed + sum(debt.repayments.map((use) => use.amount - use.returned));

export class Refusal {
  constructor(readonly answer: Extract<ModelAnswer, { kind: 'refused' }>) {}
}

export function refuse(code: string): never {
  throw new Refusal({ kind: 'refused', code });
}
