import type { Amount, Money } from '#kernel/amount.js';
import type { Instant } from '#kernel/instant.js';
import type { Source } from '#ledger/account/events.js';
import { decimalText } from './decimal.js';
import type { SourceLot, SourceRecord } from './source.js';

/**
 * What became of a record of the source. `equal`: granted as the source has it. `adjusted`: granted in another way, or not because
 * less than a whole credit is left. `empty`: the source has nothing left in it. `differs`: it was imported before, as something else
 * than the source has now. `customer`: a customer without a lot.
 */
export const outcomes = ['equal', 'adjusted', 'empty', 'refused', 'differs', 'customer'] as const;
export type Outcome = (typeof outcomes)[number];

export type GrantView = {
  readonly grantId: string | null;
  readonly amount: Amount;
  readonly source: Source;
  readonly priority: number;
  readonly effectiveAt: Instant | null;
  readonly expiresAt: Instant | null;
  readonly costBasis: Money | null;
};

/** One line of the report. */
export type RecordResult = {
  readonly at: string;
  readonly outcome: Outcome;
  readonly reasons: readonly string[];
  readonly externalId: string | null;
  readonly customerId: string | null;
  readonly unit: string | null;
  /** What the source has; `amount` is the decimal text of its credits. */
  readonly inSource: (Omit<GrantView, 'grantId' | 'amount'> & { readonly amount: string }) | null;
  /** What Scrip has of it, or would have; null where there is no grant. */
  readonly inScrip: GrantView | null;
  /** Whether it was imported by an earlier run. */
  readonly before: boolean;
};

type Verdict = Pick<RecordResult, 'outcome' | 'reasons'> & Partial<Pick<RecordResult, 'inScrip' | 'before'>>;

/** The result of a lot. */
export const resultOfLot = (lot: SourceLot, verdict: Verdict): RecordResult => ({
  at: lot.at,
  externalId: lot.externalId,
  customerId: lot.customer.id,
  unit: lot.unit,
  inSource: {
    amount: decimalText(lot.left),
    source: lot.source,
    priority: lot.priority,
    effectiveAt: lot.effectiveAt,
    expiresAt: lot.expiresAt,
    costBasis: lot.costBasis,
  },
  inScrip: null,
  before: false,
  ...verdict,
});

/** The result of what is no lot. */
export const resultOfOther = (record: Exclude<SourceRecord, SourceLot>, verdict: Verdict): RecordResult => ({
  at: record.at,
  externalId: record.kind === 'customer' ? null : record.externalId,
  customerId: record.kind === 'customer' ? record.customer.id : record.customerId,
  unit: null,
  inSource: null,
  inScrip: null,
  before: false,
  ...verdict,
});
