import { MAX_AMOUNT } from '#kernel/amount.js';
import { later, plusMs, type Instant } from '#kernel/instant.js';
import { settleClaims, settleSubscription } from '../claims/settling.js';
import type { AccountCommand, AccountRefusal, PaidTerm } from '../commands.js';
import { planChangeRule, type AccountEventOf, type Term } from '../events.js';
import { grantOf } from '../grants/lots.js';
import { type Recording, openAccount } from '../recording.js';
import { forgetRollovers } from './rollover.js';
import type { AccountState, SubscriptionTerms } from '../state.js';
import { effectiveFrom, grantChanges, settledTogether } from './settling.js';
import { letTimePass } from '../time.js';
import {
  asOneMonth,
  creditsFrom,
  endInForce,
  monthsOf,
  REMEMBERED_MS,
  sharesOfCost,
  type PaidMonth,
} from '../../subscription/paid-month.js';

type Command<Type extends AccountCommand['type']> = Extract<AccountCommand, { type: Type }>;

type MonthGranted = PaidMonth & { readonly amount: number };

/** What each month of a paid period gives. */
export function monthsGranted(paid: PaidTerm): readonly MonthGranted[] {
  const { periodStart, periodEnd, interval, creditsPerMonth, prorated } = paid;
  const months = interval === 'year' ? monthsOf(periodStart, periodEnd) : [asOneMonth(periodStart, periodEnd)];
  return months.map(({ start, end, measuredFrom }) => {
    const from = prorated ? measuredFrom : start;
    return { start, end, measuredFrom: from, amount: creditsFrom(creditsPerMonth, start, { measuredFrom: from, end }) };
  });
}

/** All months of a paid period enter the account at once. */
export function grantPeriod(recording: Recording, command: Command<'GrantPeriod'>): AccountRefusal | null {
  const { subscriptionId, paymentReference, cost, rolloverCap } = command;
  const months = monthsGranted(command);
  const all = months.reduce((sum, { amount }) => sum + amount, 0);
  if (all > MAX_AMOUNT - recording.state.granted) return { rejected: 'balance_limit_exceeded' };
  openAccount(recording);
  const shares = sharesOfCost(
    cost,
    months.map(({ amount }) => amount),
  );
  const grantIds: string[] = [];
  for (const [index, month] of months.entries()) {
    if (month.amount === 0) continue;
    const grantId = recording.newId('gr');
    const { at } = recording.moment;
    recording.record({
      type: 'CreditsGranted',
      grantId,
      amount: month.amount,
      source: 'subscription',
      priority: 50,
      effectiveAt: effectiveFrom(month.start, index === 0, at),
      expiresAt: endInForce(month.end, command.periodEnd, at),
      costBasis: shares[index] ?? null,
      paymentReference,
      adjustmentId: null,
      term: termOf(command, month),
      ...(rolloverCap === 0 ? {} : { rollover: { cap: rolloverCap, endedAt: month.start } }),
      lines: command.lines,
      description: null,
      metadata: command.metadata,
    });
    grantIds.push(grantId);
  }
  settleClaims(
    recording,
    grantIds.map((grantId) => ({ grantId })),
  );
  settleAll(recording, subscriptionId);
  letTimePass(recording);
  return null;
}

function termOf(command: Command<'GrantPeriod'>, { start, end, measuredFrom }: PaidMonth): Term {
  const { subscriptionId, itemId, periodStart, periodEnd, plan } = command;
  const period = { kind: 'period', subscriptionId, itemId, periodStart, periodEnd, start, end } as const;
  const term = plan === undefined ? period : { ...period, plan };
  return measuredFrom === start ? term : { ...term, measuredFrom };
}

/** Notes a change of plan or quantity, and settles what it means for what was granted; again, whenever more is known. */
export function changePeriod(recording: Recording, command: Command<'ChangePeriod'>): AccountRefusal | null {
  const { subscriptionId, changeId, periods, paymentReference, metadata } = command;
  const known = recording.state.terms.get(subscriptionId)?.changes ?? [];
  if (known.some((change) => change.changeId === changeId)) return null;
  openAccount(recording);
  const change = { changeId, periods, paymentReference, metadata };
  recording.record({ type: 'PeriodChanged', subscriptionId, ...change, rule: planChangeRule });
  settleAll(recording, subscriptionId);
  letTimePass(recording);
  return null;
}

/**
 * Grants what is missing of the changes, lets claims on their payments have their part, also where a month's true length has become
 * known, then settles what is left.
 */
function settleAll(recording: Recording, subscriptionId: string): void {
  grantChanges(recording, subscriptionId);
  const grants = recording.state.terms.get(subscriptionId)?.grants ?? [];
  const ofChanges = grants.filter((id) => grantOf(recording.state, id).term?.kind === 'change');
  settleClaims(
    recording,
    ofChanges.map((grantId) => ({ grantId })),
  );
  settleSubscription(recording, subscriptionId);
}

/** Notes the end of a subscription, and revokes what of its grants has not begun by then. Of two times the earlier counts. */
export function endSubscription(recording: Recording, command: Command<'EndSubscription'>): AccountRefusal | null {
  const { subscriptionId, endedAt } = command;
  const known = recording.state.terms.get(subscriptionId)?.endedAt ?? null;
  if (known !== null && known <= endedAt) return null;
  openAccount(recording);
  recording.record({ type: 'TermsEnded', subscriptionId, endedAt });
  settleSubscription(recording, subscriptionId);
  letTimePass(recording);
  return null;
}

const NO_TERMS: SubscriptionTerms = { grants: [], changes: [], trial: null, endedAt: null };

/** A change of plan, what is known of a trial, or an end. */
export function evolveTerms(
  state: AccountState,
  event: AccountEventOf<'PeriodChanged'> | AccountEventOf<'TrialChanged'> | AccountEventOf<'TermsEnded'>,
): AccountState {
  forgetOld(state, event.at);
  const { subscriptionId } = event;
  const terms = state.terms.get(subscriptionId) ?? NO_TERMS;
  if (event.type === 'TermsEnded') {
    state.terms.set(subscriptionId, { ...terms, endedAt: event.endedAt });
    return state;
  }
  if (event.type === 'TrialChanged') {
    const { itemId, amount, start, end, version, metadata } = event;
    state.terms.set(subscriptionId, { ...terms, trial: { itemId, amount, start, end, version, metadata } });
    return state;
  }
  const { changeId, periods, paymentReference, metadata } = event;
  const changes = [...terms.changes, { changeId, periods, paymentReference, metadata }];
  state.terms.set(subscriptionId, { ...terms, changes });
  return state;
}

/** A grant of a subscription. */
export function noteTerm(state: AccountState, { grantId, term, at }: AccountEventOf<'CreditsGranted'>): void {
  if (term === undefined) return;
  // Not while the months of a change are granted: it is known until all of them are.
  if (term.kind !== 'change') forgetOld(state, at);
  const terms = state.terms.get(term.subscriptionId) ?? NO_TERMS;
  state.terms.set(term.subscriptionId, { ...terms, grants: [...terms.grants, grantId] });
}

/**
 * Forgets what ended so long ago that it is of no use any more: of subscriptions that are settled together only what ended before all
 * that stays known of them began, as what changes took of one month depends on those beside it.
 */
function forgetOld(state: AccountState, at: Instant): void {
  const limit = plusMs(at, -REMEMBERED_MS);
  for (const group of settledTogether(state)) {
    const spans = group.map(([, terms]) => spansOf(state, terms));
    const from = startOfKnown(spans.flat(), limit);
    for (const [index, [subscriptionId, terms]] of group.entries())
      forgetUntil(state, { subscriptionId, terms, spans: spans[index] ?? [], from, limit });
  }
}

type Forgotten = {
  readonly subscriptionId: string;
  readonly terms: SubscriptionTerms;
  readonly spans: readonly Span[];
  /** What ended by then is forgotten. */
  readonly from: Instant;
  readonly limit: Instant;
};

function forgetUntil(state: AccountState, { subscriptionId, terms, spans, from, limit }: Forgotten): void {
  const known = new Set(spans.filter(({ end }) => end > from).map(({ name }) => name));
  const changes = terms.changes.filter(({ changeId }) => known.has(changeId));
  const isKnown = (id: string): boolean => known.has(nameOf(state, id));
  const grants = terms.grants.filter(isKnown);
  const isOver = grants.length === 0 && changes.length === 0 && terms.endedAt !== null && terms.endedAt < limit;
  if (!isOver && spans.every(({ end }) => end > from)) return;
  forgetRollovers(
    state,
    terms.grants.filter((id) => !isKnown(id)),
  );
  const endedAt = isOver ? null : terms.endedAt;
  const trial = known.has(TRIAL) ? terms.trial : null;
  const isEmpty = changes.length === 0 && grants.length === 0 && trial === null && endedAt === null;
  if (isEmpty) state.terms.delete(subscriptionId);
  else state.terms.set(subscriptionId, { grants, changes, trial, endedAt });
}

/** A change with all its grants, the trial, or a grant of its own, from its start until it ends. */
type Span = { readonly name: string; readonly start: Instant; readonly end: Instant };

const nameOf = (state: AccountState, grantId: string): string => grantOf(state, grantId).term?.changeId ?? grantId;

const TRIAL = 'trial';

const spansOf = (state: AccountState, { changes, trial, grants }: SubscriptionTerms): readonly Span[] => [
  ...(trial === null ? [] : [{ name: TRIAL, start: trial.start, end: trial.end }]),
  ...changes.flatMap(({ changeId: name, periods }) =>
    periods.flatMap(({ end, parts }) => parts.map(({ since }): Span => ({ name, start: since, end }))),
  ),
  ...grants.flatMap((id): readonly Span[] => {
    const { term } = grantOf(state, id);
    return term === null ? [] : [{ name: nameOf(state, id), start: term.periodStart, end: term.periodEnd }];
  }),
];

/**
 * When what stays known began: what ended since `limit`, and what overlaps it, and so on where each period overlaps the one before; not
 * beyond as long again, as what ended by `limit` is not changed any more.
 */
function startOfKnown(spans: readonly Span[], limit: Instant): Instant {
  let from = limit;
  for (const { start, end } of spans.toSorted((a, b) => (a.end < b.end ? 1 : -1))) {
    if (end > from && start < from) from = start;
  }
  return later(from, plusMs(limit, -REMEMBERED_MS));
}
