import type { Books } from '../books/books.js';
import { secondsOf } from '../books/calendar.js';
import { takenByChanges, type TermLot } from '../books/change-books.js';
import { claimedOf, type Claimed, type Lot } from '../books/claim-books.js';
import { ROLLED_OVER, shown, type Pair } from './grant-audit.js';
import type { AccountEventSeen, GrantSeen, LedgerView } from './ledger-view.js';

/**
 * What refunds, disputes, credit notes, changes of plan and ends have left of each grant. All of it follows from the facts at Stripe
 * and from what was used of each grant, whatever the order in which it was reported.
 */
export function creditFaults(books: Books, view: LedgerView, pairs: readonly Pair[]): readonly string[] {
  const claimed = new Map<string, Claimed>();
  const groups = new Map<string, string>();
  for (const payment of books.payments.values()) {
    const lots = pairs.filter(({ due }) => due.reference === payment.id).map(lotOf);
    for (const [id, met] of claimedOf(payment, lots, books.lineAmounts)) claimed.set(id, met);
    // Claims do not tell apart what begins and ends at the same times: such grants are compared together.
    for (const { id, startsAt, expiresAt } of lots)
      groups.set(id, `${payment.id} ${String(startsAt)} ${String(expiresAt)}`);
  }
  const taken = takenBySubscription(books, view, pairs, claimed);
  const byGroup = Map.groupBy(pairs, ({ grant }) => groups.get(grant.id) ?? grant.id);
  return [...byGroup.values()].flatMap((group) => {
    const sum = (part: (grant: GrantSeen) => number): number =>
      group.reduce((total, { grant }) => total + part(grant), 0);
    const of = (id: string): Claimed => claimed.get(id) ?? { unspent: 0, spent: 0, reserved: 0 };
    const is = [sum(({ revoked }) => revoked), sum(({ id }) => askedBack(id, view.events)), sum(({ held }) => held)];
    const be = [
      sum(({ id }) => of(id).unspent + (taken.get(id) ?? 0)),
      sum(({ id }) => of(id).spent),
      sum((grant) => reservable(grant, of(grant.id), taken.get(grant.id) ?? 0, view)),
    ];
    if (is.join(' ') === be.join(' ')) return [];
    const parts = sum(({ id }) => of(id).unspent);
    return [
      `taken, asked back and reserved: ${is.join(', ')}, not ${be.join(', ')} (by claims ${String(parts)}) of ${group.map(({ grant }) => shown(grant)).join('; ')}`,
    ];
  });
}

function lotOf({ grant, due }: Pair): Lot {
  const { id, amount, consumed, repaid, effectiveAt, expiresAt } = grant;
  const spent = consumed + repaid;
  return {
    // What was too much was not bought, so nothing is claimed of it.
    ...{
      id,
      amount: amount - (due.excess ?? 0),
      spent,
      unspent: amount - spent,
      lines: due.lines,
      cost: due.cost ?? 0,
    },
    startsAt: due.startsAt ?? secondsOf(effectiveAt),
    expiresAt: expiresAt === null ? null : secondsOf(expiresAt),
  };
}

/** What is reserved: nothing of what has not begun or is over, and no more than claims, changes and ends have left. */
function reservable(grant: GrantSeen, { unspent, reserved }: Claimed, taken: number, view: LedgerView): number {
  const { amount, consumed, repaid } = grant;
  return canBeHeld(grant, view) ? Math.min(reserved, amount - consumed - repaid - unspent - taken) : 0;
}

const canBeHeld = ({ effectiveAt, expiresAt }: GrantSeen, { asOf }: LedgerView): boolean =>
  effectiveAt <= asOf && (expiresAt === null || expiresAt > asOf);

/** Spent credits of a grant that claims ask back: debt, paid back or not, and what was written off. */
function askedBack(grantId: string, events: readonly AccountEventSeen[]): number {
  const debts = new Set<string>();
  let asked = 0;
  for (const { type, amount = 0, writtenOff = 0, cause, ...event } of events) {
    if (cause === undefined || !['refund', 'dispute'].includes(cause.kind)) continue;
    if (type === 'CreditsRevoked' && event.grantId === grantId) asked += writtenOff;
    if (type === 'CreditsReinstated' && event.grantId === grantId) asked -= writtenOff;
    if (type === 'DebtIncurred' && cause.grantId === grantId) {
      asked += amount;
      debts.add(event.debtId ?? '');
    }
    if (type === 'DebtForgiven' && debts.has(event.debtId ?? ''))
      asked -= (event.restored ?? []).reduce((sum, slice) => sum + slice.amount, amount);
  }
  return asked;
}

/** What changes of plan and ends take of each grant, after claims. */
function takenBySubscription(
  books: Books,
  view: LedgerView,
  pairs: readonly Pair[],
  claimed: ReadonlyMap<string, Claimed>,
): ReadonlyMap<string, number> {
  const unspent = ({ id, amount, consumed, repaid, held }: GrantSeen): number =>
    amount - consumed - repaid - held - (claimed.get(id)?.unspent ?? 0);
  const claimedOfGrant = ({ id }: GrantSeen): number => claimed.get(id)?.unspent ?? 0;
  const lots: TermLot[] = pairs.flatMap(({ grant, due: { term, reference, excess = 0 } }): readonly TermLot[] =>
    term === null
      ? []
      : [
          {
            id: grant.id,
            invoiceId: reference ?? '',
            amount: grant.amount,
            excess,
            term,
            rolledOver: false,
            unspent: unspent(grant),
            claimed: claimedOfGrant(grant),
          },
        ],
  );
  for (const grant of view.grants.filter(({ description }) => description === ROLLED_OVER)) {
    if (grant.term === null) continue;
    const [periodStart, start, end] = [grant.term.periodStart, grant.term.start, grant.term.end].map(secondsOf);
    const times = { periodStart: periodStart!, start: start!, end: end!, measuredFrom: start! };
    const term = { subscription: grant.term.subscriptionId, ...times };
    lots.push({
      id: grant.id,
      invoiceId: '',
      amount: grant.amount,
      term,
      rolledOver: true,
      unspent: unspent(grant) - notGoneOn(grant.id, view.events),
      claimed: 0,
    });
  }
  return takenByChanges(lots, books.changes, books.ends);
}

/** What went on of a month and was taken back because refunds or changes then took the month's own credits. */
const notGoneOn = (grantId: string, events: readonly AccountEventSeen[]): number =>
  events.reduce((sum, { type, cause, allocations = [], grantId: of, amount = 0 }) => {
    if (cause?.kind !== 'rollover') return sum;
    if (type === 'CreditsReinstated') return of === grantId ? sum - amount : sum;
    return allocations.reduce((all, slice) => (slice.grantId === grantId ? all + slice.amount : all), sum);
  }, 0);
