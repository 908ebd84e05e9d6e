import { MAX_AMOUNT, type Money } from '#kernel/amount.js';
import { earlier, plusMs, type Instant } from '#kernel/instant.js';
import { isAfterClaims, sameUpTo } from '../claims/view.js';
import { costOf } from '../grants/cost.js';
import { total, type PlanChange, type RevocationCause, type Slice } from '../events.js';
import { grantOf } from '../grants/lots.js';
import { recordTaken, undoTaken } from '../claims/revocations.js';
import type { Recording } from '../recording.js';
import type { AccountState, Grant, Revocation, SubscriptionTerms } from '../state.js';
import { factsOf } from './facts.js';
import { endInForce, REMEMBERED_MS, sharesOfCost } from '../../subscription/paid-month.js';
import { monthName, takesOf, type ChangedMonth, type Takes, type TermGrant } from './changes.js';

/** What plan changes and the end took. All else comes before them. */
const takenOf = ({ revocations }: Grant): readonly Revocation[] => revocations.filter(isAfterClaims);

/**
 * Takes of a subscription's grants what its plan changes and its end do not leave of them, as far as it is unspent, and gives back
 * what was taken without need: the same for the same facts, whatever order they were reported in. Never a debt. Changes nothing
 * where all is settled. Subscriptions that count against each other are settled together.
 */
export function settleTerms(recording: Recording, subscriptionId: string): void {
  const linked = linkedTo(recording.state, subscriptionId);
  if (linked.every(([, { changes, endedAt }]) => changes.length === 0 && endedAt === null)) return;
  if (linked.every(([id, terms]) => isSettled(recording, id, terms))) return;
  const wanted = takesOf(
    linked.map(([, terms]) => ({
      facts: factsOf(recording.state, terms),
      grants: termGrants(recording, terms.grants),
      endedAt: terms.endedAt,
    })),
  );
  const missing = new Map<string, Takes>();
  for (const id of linked.flatMap(([, { grants }]) => grants)) {
    const grant = grantOf(recording.state, id);
    const [taken, due] = [takenOf(grant), wanted.get(id) ?? []];
    if (isFinal(grant, recording.at) || isTaken(grant, due)) continue;
    // A plan may be changed hundreds of times: what earlier changes took stays as it is.
    const same = sameUpTo(taken, due);
    giveBack(recording, id, taken.slice(same));
    missing.set(id, due.slice(same));
  }
  take(recording, missing);
  for (const [id, terms] of linked) {
    const settled = new Map(terms.grants.map((grantId) => [grantId, grantOf(recording.state, grantId)]));
    recording.settledTerms.set(id, { terms, grants: settled });
  }
}

type Known = readonly [id: string, terms: SubscriptionTerms];

/** The subscriptions that are settled with this one, itself among them. */
export const linkedTo = (state: AccountState, subscriptionId: string): readonly Known[] =>
  settledTogether(state).find((group) => group.some(([id]) => id === subscriptionId)) ?? [];

/**
 * All subscriptions, in one group those that are settled together. What was kept of one that ended counts against what others give
 * later, so where one with changes has ended, all that are paid for are; else each by itself.
 */
export function settledTogether(state: AccountState): readonly (readonly Known[])[] {
  const all = [...state.terms.entries()];
  const paid = all.filter(([, terms]) => isPaidFor(state, terms));
  if (!paid.some(([, { changes, endedAt }]) => endedAt !== null && changes.length > 0)) return all.map((one) => [one]);
  return [paid, ...all.filter(([, terms]) => !isPaidFor(state, terms)).map((one) => [one])];
}

/** Whether subscriptions count against each other: the months of a free plan were not paid for. */
const isPaidFor = (state: AccountState, { grants: [first] }: SubscriptionTerms): boolean =>
  first === undefined || grantOf(state, first).term?.kind !== 'free';

/** Whether nothing that plan changes and the end look at has changed since all was settled, which it was before the decision. */
function isSettled(
  { settledTerms, before, state }: Recording,
  subscriptionId: string,
  terms: SubscriptionTerms,
): boolean {
  const last = settledTerms.get(subscriptionId) ?? { terms: before.terms.get(subscriptionId), grants: before.grants };
  return (
    last.terms === terms &&
    terms.grants.every((id) => {
      const [known, grant] = [last.grants.get(id), grantOf(state, id)];
      if (known === undefined || known === grant) return known === grant;
      return (
        unspentOf(known) === unspentOf(grant) && claimedOf(known) === claimedOf(grant) && isTaken(grant, takenOf(known))
      );
    })
  );
}

/** Whether a grant's period ended so long ago that plan changes and the end take what they took. */
const isFinal = ({ term }: Grant, at: Instant): boolean =>
  term !== null && term.periodEnd <= plusMs(at, -REMEMBERED_MS);

/**
 * Gives back what plan changes and the end took of these grants, for claims that come first; `settleTerms` takes of what those leave.
 * Where nothing is taken again, as it is forgotten or of long ago, nothing is given back.
 */
export function giveBackTerms(recording: Recording, grants: readonly Grant[]): void {
  for (const grant of grants) {
    const { id, term } = grant;
    const known = term === null ? undefined : recording.state.terms.get(term.subscriptionId);
    if (known?.grants.includes(id) === true && !isFinal(grant, recording.at))
      giveBack(recording, id, takenOf(grantOf(recording.state, id)));
  }
}

function giveBack(recording: Recording, grantId: string, taken: readonly Revocation[]): void {
  for (const { cause, amount } of taken.toReversed()) undoTaken(recording, { grantId, amount, cause });
}

const claimedOf = ({ revocations }: Grant): number =>
  total(revocations.filter(({ cause }) => cause.kind === 'refund' || cause.kind === 'dispute'));

/** What nobody used of a grant after all claims, before plan changes and ends. */
const unspentOf = (grant: Grant): number => grant.free + grant.expired + total(takenOf(grant));

const termGrants = (recording: Recording, ids: SubscriptionTerms['grants']): ReadonlyMap<string, TermGrant> =>
  new Map(
    ids.flatMap((id): readonly [string, TermGrant][] => {
      const grant = grantOf(recording.state, id);
      const { term, amount, paymentReference } = grant;
      if (term === null) return [];
      return [[id, { id, term, amount, paymentReference, unspent: unspentOf(grant), claimed: claimedOf(grant) }]];
    }),
  );

function isTaken(grant: Grant, wanted: Takes): boolean {
  const taken = takenOf(grant);
  return taken.length === wanted.length && sameUpTo(taken, wanted) === wanted.length;
}

/** One event for each cause, as far as the order of the causes of each grant allows. */
function take(recording: Recording, wanted: ReadonlyMap<string, Takes>): void {
  const most = Math.max(0, ...[...wanted.values()].map(({ length }) => length));
  for (let index = 0; index < most; index += 1) {
    const byCause = new Map<string, { cause: RevocationCause; parts: [string, number][] }>();
    for (const [grantId, takes] of wanted) {
      const one = takes[index];
      if (one === undefined) continue;
      const name = `${one.cause.kind} ${one.cause.id}`;
      const known = byCause.get(name) ?? { cause: one.cause, parts: [] };
      known.parts.push([grantId, one.amount]);
      byCause.set(name, known);
    }
    for (const { cause, parts } of byCause.values()) revoke(recording, cause, parts);
  }
}

/** Breakage is turned back of what had expired unused; the rest is revoked in one event, what is scheduled last. */
function revoke(recording: Recording, cause: RevocationCause, parts: readonly [string, number][]): void {
  const isFree = ([grantId, amount]: readonly [string, number]): boolean =>
    grantOf(recording.state, grantId).free >= amount;
  for (const part of parts) if (!isFree(part)) recordTaken(recording, ...part, cause);
  const free = parts.filter(isFree).map(([grantId, amount]) => ({ grant: grantOf(recording.state, grantId), amount }));
  if (free.length === 0) return;
  const scheduled = free.filter(({ grant }) => grant.scheduled);
  recording.record({
    type: 'CreditsRevoked',
    revocationId: recording.newId('rvk'),
    amount: total(free),
    allocations: [...free.filter(({ grant }) => !grant.scheduled), ...scheduled].map(({ grant, amount }): Slice => ({
      grantId: grant.id,
      source: grant.source,
      amount,
      cost: costOf(grant, amount),
    })),
    scheduled: total(scheduled),
    expired: 0,
    writtenOff: 0,
    grantId: null,
    cause,
    reason: null,
  });
}

/** Grants what the changes to more of a subscription mean and was not granted yet: all of it, or what the true length of a month adds once that is known. */
export function grantChanges(recording: Recording, subscriptionId: string): void {
  const { state } = recording;
  const terms = state.terms.get(subscriptionId);
  if (terms === undefined || terms.changes.length === 0) return;
  const granted = new Map<string, number>();
  const begun = new Set<string>();
  for (const id of terms.grants) {
    const { term, amount } = grantOf(state, id);
    if (term?.changeId === undefined) continue;
    const name = monthName({ changeId: term.changeId, end: term.end });
    granted.set(name, (granted.get(name) ?? 0) + amount);
    begun.add(periodName(term.changeId, term.periodEnd));
  }
  const { months } = factsOf(state, terms);
  for (const change of terms.changes) {
    const toMore = (months.get(change.changeId) ?? []).filter(({ amount, grants }) => amount > 0 && grants);
    if (toMore.length > 0) grantChange(recording, { subscriptionId, change, months: toMore, granted, begun });
  }
}

type ChangeToMore = {
  readonly subscriptionId: string;
  readonly change: PlanChange;
  readonly months: readonly ChangedMonth[];
  /** What was granted of changes before, by the name of the month. */
  readonly granted: ReadonlyMap<string, number>;
  /** The names of the changed periods of which anything was granted before: that has all of the change's money. */
  readonly begun: ReadonlySet<string>;
};

const periodName = (changeId: string, periodEnd: Instant): string => `${changeId} ${periodEnd}`;

function grantChange(recording: Recording, { subscriptionId, change, months, granted, begun }: ChangeToMore): void {
  for (const { end, cost } of change.periods) {
    const own = months.filter((month) => month.periodEnd === end);
    const shares = sharesOfCost(
      begun.has(periodName(change.changeId, end)) ? null : cost,
      own.map(({ amount }) => amount),
    );
    for (const [index, month] of own.entries()) {
      const before = granted.get(monthName(month)) ?? 0;
      const missing = Math.min(month.amount - before, MAX_AMOUNT - recording.state.granted);
      if (missing > 0)
        grantMonth(recording, { subscriptionId, change, month, amount: missing, cost: shares[index] ?? null });
    }
  }
}

type Missing = {
  readonly subscriptionId: string;
  readonly change: PlanChange;
  readonly month: ChangedMonth;
  readonly amount: number;
  readonly cost: Money | null;
};

function grantMonth(recording: Recording, { subscriptionId, change, month, amount, cost }: Missing): void {
  const { at } = recording;
  recording.record({
    type: 'CreditsGranted',
    grantId: recording.newId('gr'),
    amount,
    source: 'subscription',
    priority: 50,
    effectiveAt: effectiveFrom(month.from, month.from === month.since, at),
    expiresAt: endInForce(month.end, month.periodEnd, at),
    costBasis: cost,
    paymentReference: change.paymentReference,
    adjustmentId: null,
    term: {
      kind: 'change',
      subscriptionId,
      itemId: null,
      periodStart: month.since,
      periodEnd: month.periodEnd,
      start: month.from,
      end: month.end,
      changeId: change.changeId,
    },
    lines: change.periods.find(({ end }) => end === month.periodEnd)?.lines ?? [],
    description: null,
    metadata: change.metadata,
  });
}

/** What is paid for can be used at once, also by a clock that is behind Stripe's; months after the first when they begin. */
export const effectiveFrom = (start: Instant, first: boolean, at: Instant): Instant =>
  first ? earlier(start, at) : start;
