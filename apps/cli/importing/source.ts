import type { Money } from '#kernel/amount.js';
import type { Instant } from '#kernel/instant.js';
import type { Source } from '#ledger/account/events.js';
import type { Decimal } from './decimal.js';

/** A customer as a source names it. The source's own words: nothing is checked yet. */
export type SourceCustomer = { readonly id: string; readonly name: string | null; readonly email: string | null };

/** What is left of a lot of credits in the source, in Scrip's terms. */
export type SourceLot = {
  readonly kind: 'lot';
  /** Where it stands in the source: `line 12`, `record 3 (line 9)`, `credit grant credgr_1`. */
  readonly at: string;
  /** The source's id of it, under which it is imported once for ever. */
  readonly externalId: string;
  readonly customer: SourceCustomer;
  readonly unit: string;
  /** Credits left now. */
  readonly left: Decimal;
  readonly source: Source;
  readonly priority: number;
  readonly effectiveAt: Instant | null;
  readonly expiresAt: Instant | null;
  /** The money that was paid for what is left. */
  readonly costBasis: Money | null;
  /** What Scrip keeps in another way than the source, in words. */
  readonly adjustments: readonly string[];
  /** Why the source itself has nothing left in it; null where it has. */
  readonly endedBecause: string | null;
};

export type SourceRecord =
  | SourceLot
  | { readonly kind: 'customer'; readonly at: string; readonly customer: SourceCustomer }
  /** Cannot be brought, whatever it was meant to be. */
  | {
      readonly kind: 'unreadable';
      readonly at: string;
      readonly externalId: string | null;
      readonly customerId: string | null;
      readonly reason: string;
    };

/** Where records come from. `progress` is between 0 and 1; null where the source does not say how much there is. */
export type LotSource = {
  readonly records: AsyncIterable<SourceRecord>;
  readonly progress: () => number | null;
};

/** A source that cannot be read further: what came before stands, what comes after was not read. */
export class SourceBroken extends Error {
  override readonly name = 'SourceBroken';
}
