import { MAX_AMOUNT, type Amount, type Money } from '#kernel/amount.js';
import type { Instant } from '#kernel/instant.js';
import type { Json } from '#kernel/json.js';
import type { AccountCommand, AccountRefusal, PurchaseRefusal } from './commands.js';
import type { AccountEventOf, Sale, Source } from './events.js';
import { slicesToSpend } from './grants/burn-order.js';
import { settleClaims } from './claims/settling.js';
import { type Recording, openAccount } from './recording.js';
import { putGrant } from './grants/lots.js';
import { NO_CREDITS } from './grants/moves.js';
import { noteRollover } from './terms/rollover.js';
import type { AccountState } from './state.js';
import { noteTerm } from './terms/terms.js';
import { letTimePass } from './time.js';
import type { BoughtLine } from '../payment/claims.js';

type Grant = Extract<AccountCommand, { type: 'GrantCredits' }>;
type Adjust = Extract<AccountCommand, { type: 'AdjustCredits' }>;
type NewGrant = {
  amount: Amount;
  source: Source;
  priority: number;
  effectiveAt: Instant;
  expiresAt: Instant | null;
  costBasis: Money | null;
  paymentReference: string | null;
  description: string | null;
  metadata: Json;
  sale?: Sale;
  lines?: readonly BoughtLine[];
};

/** Lots of credits enter the account. The first one opens it; a grant that is effective repays debt first. */
export function grantCredits(recording: Recording, command: Grant): AccountRefusal | null {
  const { at } = recording.moment;
  const effectiveAt = command.effectiveAt ?? at;
  const { sale, knownDistinct = [] } = command;
  const refusal = sale === undefined ? null : refusalOfSale(recording.state, sale, knownDistinct);
  if (refusal !== null) return refusal;
  if (command.expiresAt !== null && command.expiresAt <= at) return { rejected: 'grant_expired' };
  if (command.expiresAt !== null && command.expiresAt <= effectiveAt) return { rejected: 'invalid_expiry' };
  return recordGrant(recording, { ...command, effectiveAt }, null);
}

function recordGrant(recording: Recording, grant: NewGrant, adjusts: 'adjusts' | null): AccountRefusal | null {
  if (recording.state.granted > MAX_AMOUNT - grant.amount) return { rejected: 'balance_limit_exceeded' };
  openAccount(recording);
  const grantId = recording.newId('gr');
  recording.record({
    type: 'CreditsGranted',
    grantId,
    amount: grant.amount,
    source: grant.source,
    priority: grant.priority,
    effectiveAt: grant.effectiveAt,
    expiresAt: grant.expiresAt,
    costBasis: grant.costBasis,
    paymentReference: grant.paymentReference,
    adjustmentId: adjusts === null ? null : recording.newId('adj'),
    ...(grant.sale === undefined ? {} : { sale: grant.sale }),
    ...(grant.lines === undefined ? {} : { lines: grant.lines }),
    description: grant.description,
    metadata: grant.metadata,
  });
  settleClaims(recording, [{ grantId }]);
  letTimePass(recording);
  return null;
}

/** An operator's correction: a grant that never expires, or credits taken away in burn order, never below zero. */
export function adjustCredits(recording: Recording, command: Adjust): AccountRefusal | null {
  if (command.amount > 0) {
    const { amount, reason } = command;
    const { at } = recording.moment;
    return recordGrant(
      recording,
      {
        amount,
        source: 'adjustment',
        priority: 50,
        effectiveAt: at,
        expiresAt: null,
        costBasis: null,
        paymentReference: null,
        description: reason,
        metadata: {},
      },
      'adjusts',
    );
  }
  const amount = -command.amount;
  const { available } = recording.balance;
  if (amount > available) return { rejected: 'insufficient_credits', available, required: amount };
  recording.record({
    type: 'CreditsRevoked',
    revocationId: recording.newId('rvk'),
    amount,
    allocations: slicesToSpend(recording.state, amount),
    scheduled: 0,
    expired: 0,
    writtenOff: 0,
    grantId: null,
    cause: { kind: 'adjustment', id: recording.newId('adj') },
    reason: command.reason,
  });
  return null;
}

/** The grant that an event makes; its credits come by the event's move. */
export function evolveGranted(
  state: AccountState,
  event: AccountEventOf<'CreditsGranted'>,
  revision: number,
): AccountState {
  state.granted += event.amount;
  putGrant(state, null, {
    ...NO_CREDITS,
    id: event.grantId,
    revision,
    source: event.source,
    priority: event.priority,
    amount: event.amount,
    effectiveAt: event.effectiveAt,
    expiresAt: event.expiresAt,
    paymentReference: event.paymentReference,
    term: event.term ?? null,
    sale: event.sale ?? null,
    lines: event.lines ?? null,
    received: event.received ?? null,
    costBasis: event.costBasis,
    costLeft: 0,
    costExpired: 0,
    scheduled: false,
    revocations: [],
    clawedBack: 0,
  });
  noteTerm(state, event);
  noteRollover(state, event);
  return state;
}

/**
 * Why a sale grants nothing: it has granted before; or it may have, because the account has a sale of as much money whose invoice
 * or intent is not known and may be this one's. Null where it is a sale of its own. `knownDistinct`: ids of sales that are known to be others.
 */
function refusalOfSale(state: AccountState, sale: Sale, knownDistinct: readonly string[]): PurchaseRefusal | null {
  let doubt: PurchaseRefusal | null = null;
  for (const { sale: known, paymentReference } of state.grants.values()) {
    if (known === null || paymentReference === null) continue;
    if (isSame(known, sale)) return { rejected: 'sold_already', paymentReference };
    const other = known.intent ?? known.invoice ?? '';
    if (mayBeSame(known, sale) && !knownDistinct.includes(other)) doubt ??= { rejected: 'sale_in_doubt', other };
  }
  return doubt;
}

const isSame = (a: Sale, b: Sale): boolean =>
  (a.session !== null && a.session === b.session) ||
  (a.intent !== null && a.intent === b.intent) ||
  (a.invoice !== null && a.invoice === b.invoice);

/** Of an invoice that does not say what paid it and an intent that does not say what it paid: one payment has one amount. */
function mayBeSame(a: Sale, b: Sale): boolean {
  const unknown = (a.intent === null && b.invoice === null) || (b.intent === null && a.invoice === null);
  const named = (a.invoice ?? b.invoice) !== null && (a.intent ?? b.intent) !== null;
  const sameMoney = a.paid !== null && a.paid.amount === b.paid?.amount && a.paid.currency === b.paid.currency;
  return unknown && named && sameMoney;
}
