import type { Books } from '../books/books.js';
import type { Life } from '../story/life.js';
import type { Market } from '../story/market.js';
import { creditFaults } from './credit-audit.js';
import { freeFaults, paired, rolloverFaults } from './grant-audit.js';
import type { LedgerView } from './ledger-view.js';
import { trialFaults } from './trial-audit.js';
import { invoiceFaults, paymentFaults, planFaults, subscriptionFaults } from './record-audit.js';

/** Everything in which Scrip and the books of a life differ; empty when all is as it should be. */
export function audit(life: Life, market: Market, books: Books, view: LedgerView, consumed: number): readonly string[] {
  const { pairs, faults } = paired(books, view);
  return [
    ...books.faults,
    ...faults,
    ...freeFaults(life, view),
    ...trialFaults(books, view),
    ...rolloverFaults(market, view),
    ...creditFaults(books, view, pairs),
    ...paymentFaults(books, view),
    ...invoiceFaults(life, view),
    ...subscriptionFaults(life, market, view),
    ...planFaults(life, market, view),
    ...balanceFaults(view, consumed),
  ];
}

/** Every credit is somewhere, and what was used is what customers were told that they had used. */
function balanceFaults({ grants, account, asOf }: LedgerView, consumed: number): readonly string[] {
  const sum = (part: 'free' | 'held' | 'consumed'): number => grants.reduce((total, grant) => total + grant[part], 0);
  const is = [Number(account?.['available'] ?? 0), Number(account?.['held'] ?? 0), consumed];
  const toCome = grants.reduce((total, { effectiveAt, free }) => (effectiveAt > asOf ? total + free : total), 0);
  const be = [sum('free') - toCome, sum('held'), sum('consumed')];
  return is.join(' ') === be.join(' ') ? [] : [`balance and use are ${is.join(' ')}, the grants say ${be.join(' ')}`];
}
