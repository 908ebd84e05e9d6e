import { MAX_AMOUNT, type Amount } from '#kernel/amount.js';
import { earlier, type Instant } from '#kernel/instant.js';
import type { RevocationCause, Trial } from '../events.js';
import { grantOf, sameCause } from '../grants/lots.js';
import { recordTaken, undoTaken } from '../claims/revocations.js';
import type { Recording } from '../recording.js';
import type { Grant } from '../state.js';

/**
 * Makes the unspent credits of a subscription's trial end when the trial does, by what is known: grants that end at another time give
 * up what is unspent of them, also what expired meanwhile, and it is granted again until the end. Of a trial that is over by now what
 * can be spent is taken. What is spent or held stays where it is. Changes nothing where all is settled.
 */
export function settleTrial(recording: Recording, subscriptionId: string): void {
  const terms = recording.state.terms.get(subscriptionId);
  if (terms === undefined || terms.trial === null) return;
  const { trial, endedAt } = terms;
  const end = endedAt === null ? trial.end : earlier(trial.end, endedAt);
  const cause = { kind: 'trial', id: subscriptionId } as const;
  const isOver = end <= recording.at;
  const own = (): readonly Grant[] =>
    terms.grants.map((id) => grantOf(recording.state, id)).filter(({ term }) => term?.kind === 'trial');
  for (const { id, expiresAt, free, expired } of own()) {
    const unspent = free + (isOver ? 0 : expired);
    if (expiresAt !== end && unspent > 0) recordTaken(recording, id, unspent, cause);
  }
  if (isOver) return;
  const used = own().reduce((sum, grant) => sum + usedOf(grant, cause), 0);
  const lasting = own().filter(({ expiresAt }) => expiresAt === end);
  let missing = trial.amount - used - lasting.reduce((sum, { free }) => sum + free, 0);
  for (const grant of lasting) {
    const amount = Math.min(Math.max(0, missing), takenOf(grant, cause));
    if (amount > 0) undoTaken(recording, { grantId: grant.id, amount, cause });
    missing -= amount;
  }
  const amount = Math.min(missing, MAX_AMOUNT - recording.state.granted);
  if (amount > 0) grantUntil(recording, subscriptionId, trial, end, amount);
}

const takenOf = ({ revocations }: Grant, cause: RevocationCause): Amount =>
  revocations.find((each) => sameCause(each.cause, cause))?.amount ?? 0;

/** What is not there to be spent any more: used, reserved, or taken for another reason. */
const usedOf = (grant: Grant, cause: RevocationCause): Amount =>
  grant.amount - grant.free - grant.expired - takenOf(grant, cause);

function grantUntil(recording: Recording, subscriptionId: string, trial: Trial, end: Instant, amount: Amount): void {
  const { itemId, start, metadata } = trial;
  recording.record({
    type: 'CreditsGranted',
    grantId: recording.newId('gr'),
    amount,
    source: 'trial',
    priority: 50,
    effectiveAt: earlier(start, recording.at),
    expiresAt: end,
    costBasis: null,
    paymentReference: null,
    adjustmentId: null,
    term: { kind: 'trial', subscriptionId, itemId, periodStart: start, periodEnd: end, start, end },
    description: null,
    metadata,
  });
}
