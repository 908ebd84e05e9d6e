import type { Invoice } from '../../../apps/stripe-sandbox/core/model.js';
import type { Market } from '../story/market.js';
import type { DueGrant } from './books.js';
import { termBooksOf } from './term-books.js';

/**
 * What changes give where the payments of subscriptions were reported in this order (ids of invoices), by the README of the ledger: what
 * was granted first has the change's money. What is more by payments that are reported after it is granted beside it, at no cost.
 */
export function changesAsReported(
  market: Market,
  invoices: readonly Invoice[],
  order: readonly string[],
): readonly DueGrant[] {
  const months = new Map<string, readonly DueGrant[]>();
  const begun = new Set<string>();
  const known = new Set<string>();
  for (const invoiceId of order) {
    known.add(invoiceId);
    const due = changesOf(
      market,
      invoices.filter(({ id }) => known.has(id)),
    );
    const added = due.flatMap((one): readonly DueGrant[] => {
      const before = (months.get(monthOf(one)) ?? []).reduce((sum, { amount }) => sum + amount, 0);
      if (one.amount <= before) return [];
      return [{ ...one, amount: one.amount - before, cost: begun.has(changeOf(one)) ? null : one.cost }];
    });
    for (const one of added) {
      months.set(monthOf(one), [...(months.get(monthOf(one)) ?? []), one]);
      begun.add(changeOf(one));
    }
  }
  const final = new Map(changesOf(market, invoices).map((due) => [monthOf(due), due.amount]));
  return [...months].flatMap(([month, parts]) => withExcess(parts, final.get(month) ?? 0));
}

/** What was added last is too much first. */
function withExcess(parts: readonly DueGrant[], final: number): readonly DueGrant[] {
  let left = final;
  return parts.map((due) => {
    const part = Math.min(left, due.amount);
    left -= part;
    return { ...due, excess: due.amount - part };
  });
}

const changesOf = (market: Market, invoices: readonly Invoice[]): readonly DueGrant[] =>
  termBooksOf(market, invoices).grants.filter(({ why }) => why === 'proration');

const changeOf = ({ reference, lines }: DueGrant): string => `${String(reference)} ${lines.join(' ')}`;
const monthOf = (due: DueGrant): string => `${changeOf(due)} ${String(due.endsAt)}`;
