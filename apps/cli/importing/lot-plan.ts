import { MAX_AMOUNT, type Amount } from '#kernel/amount.js';
import { isSupportedCurrency } from '#kernel/currency.js';
import type { Instant } from '#kernel/instant.js';
import { isCustomerId, isUnit } from '#kernel/stream-name.js';
import type { AccountCommand } from '#ledger/account/commands.js';
import { decimalText, wholePart } from './decimal.js';
import type { SourceCustomer, SourceLot } from './source.js';

export type GrantCommand = Extract<AccountCommand, { type: 'GrantCredits' }>;

/** What becomes of a lot of the source. */
export type LotPlan =
  /** It is granted; `adjustments` say what is kept in another way than in the source. */
  | { readonly kind: 'grant'; readonly command: GrantCommand; readonly adjustments: readonly string[] }
  /** Less than a whole credit is left: nothing can be granted. */
  | { readonly kind: 'fraction'; readonly reason: string }
  /** The source itself has nothing left in it. */
  | { readonly kind: 'empty'; readonly reason: string }
  | { readonly kind: 'refused'; readonly reason: string };

/** 200 characters and the words before it fit into a key of 255. */
const externalIdPattern = /^[\x21-\x7e]([\x20-\x7e]{0,198}[\x21-\x7e])?$/;
const emailPattern = /^[^\s@\u0000-\u001f]{1,64}@[^\s@\u0000-\u001f]{1,189}$/;
const LONGEST_NAME = 200;

/** Why a customer cannot be one of Scrip's; null where it can. */
export const refusalOfCustomer = ({ id }: SourceCustomer): string | null =>
  isCustomerId(id)
    ? null
    : `${JSON.stringify(id.slice(0, 140))} cannot be a customer id: 1 to 128 letters, digits and _.:@-, the first a letter or digit`;

/** The customer with those contact fields that Scrip takes, and what was left out. */
export function contactOfSource(customer: SourceCustomer): {
  readonly customer: SourceCustomer;
  readonly adjustments: readonly string[];
} {
  const adjustments: string[] = [];
  const { id, name, email } = customer;
  const isLong = name !== null && name.length > LONGEST_NAME;
  if (isLong) adjustments.push(`the name is cut to ${String(LONGEST_NAME)} characters`);
  const isAddress = email === null || emailPattern.test(email);
  if (!isAddress) adjustments.push('the e-mail address is not one and is left out');
  const kept = { id, name: isLong ? name.slice(0, LONGEST_NAME) : name, email: isAddress ? email : null };
  return { customer: kept, adjustments };
}

/** Decides what becomes of a lot. `importName` and the lot's id go into the grant's metadata, where they can be searched. */
export function planLot(lot: SourceLot, now: Instant, importName: string): LotPlan {
  const { left, expiresAt, effectiveAt } = lot;
  const refusal = refusalOf(lot);
  if (refusal !== null) return { kind: 'refused', reason: refusal };
  if (lot.endedBecause !== null) return { kind: 'empty', reason: lot.endedBecause };
  if (left.digits === 0n) return { kind: 'empty', reason: 'nothing is left of it' };
  if (expiresAt !== null && expiresAt <= now) return { kind: 'empty', reason: `it expired at ${expiresAt}` };
  if (expiresAt !== null && effectiveAt !== null && expiresAt <= effectiveAt) {
    const reason = `it expires at ${expiresAt}, not after it becomes effective at ${effectiveAt}`;
    return { kind: 'refused', reason };
  }
  const { whole, hasFraction } = wholePart(left);
  if (whole === 0n)
    return { kind: 'fraction', reason: `${decimalText(left)} of a credit is left, which is no whole credit` };
  const command = grantOf(lot, Number(whole), importName);
  const cut = hasFraction ? [`${decimalText(left)} credits are cut to ${String(whole)}`] : [];
  return { kind: 'grant', command, adjustments: [...cut, ...lot.adjustments] };
}

/** The command that grants `amount` credits for a lot. */
export const grantOf = (lot: SourceLot, amount: Amount, importName: string): GrantCommand => ({
  type: 'GrantCredits',
  amount,
  source: lot.source,
  priority: lot.priority,
  effectiveAt: lot.effectiveAt,
  expiresAt: lot.expiresAt,
  costBasis: lot.costBasis,
  paymentReference: null,
  description: null,
  metadata: { import: importName, externalId: lot.externalId },
});

function refusalOf(lot: SourceLot): string | null {
  const { left, costBasis } = lot;
  const ofCustomer = refusalOfCustomer(lot.customer);
  if (ofCustomer !== null) return ofCustomer;
  if (!isUnit(lot.unit))
    return `${JSON.stringify(lot.unit)} cannot be a unit: 1 to 32 lower-case letters, digits and _, the first a letter`;
  if (!externalIdPattern.test(lot.externalId))
    return 'its id cannot be a key: 1 to 200 printable ASCII characters, no space at the ends';
  if (left.digits < 0n) return `${decimalText(left)} credits are owed in the source: a debt is not a lot`;
  if (wholePart(left).whole > BigInt(MAX_AMOUNT)) return `more than ${String(MAX_AMOUNT)} credits`;
  if (costBasis !== null && !isSupportedCurrency(costBasis.currency))
    return `${JSON.stringify(costBasis.currency)} is not a currency that Scrip takes`;
  return null;
}
