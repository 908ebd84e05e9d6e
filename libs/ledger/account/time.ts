import { assert } from '#kernel/assert.js';
import { later, type Instant } from '#kernel/instant.js';
import { settleClaims, type Touched } from './claims/settling.js';
import { costOf } from './grants/cost.js';
import { repayOwed } from './debt.js';
import { grantOf, holdReleased } from './grants/lots.js';
import type { Recording } from './recording.js';
import type { AccountState, Due } from './state.js';

/** When time will next change the account by itself; null when it will not. */
export const nextDueAt = (state: AccountState): Instant | null => state.timeline[0]?.at ?? null;

/**
 * Records what time alone has done by the moment of the decision: grants became effective (and repaid debt), holds timed
 * out, grants expired. Each at its own instant, though never before the newest event. Every command records this first and
 * again after credits became unspent, so the log shows time passing in order and no expired credit is ever spent. What became
 * unspent, of the `touched` grants or by time, meets first what is claimed of its payment, then what expires, then what is owed.
 */
export function letTimePass(recording: Recording, touched: readonly Touched[] = []): void {
  let unsettled = touched;
  for (;;) {
    const due = recording.state.timeline[0];
    const isDue = due !== undefined && due.at <= recording.moment.at;
    if (!isDue && unsettled.length === 0) break;
    const at = isDue ? later(due.at, recording.state.lastAt) : recording.moment.at;
    recording.at = at;
    recording.timesEffectOn = isDue ? due.id : null;
    if (isDue) {
      unsettled = [...unsettled, ...recordDue(recording, due, at)];
      // At one instant all falls due before anything is settled.
      if (isDueBy(recording, at)) continue;
    }
    settleClaims(recording, unsettled);
    unsettled = [];
    // What came free at an instant and did not expire at the same one pays what is owed.
    if (isDue && !isDueBy(recording, at)) repayOwed(recording, at);
  }
  recording.at = recording.moment.at;
  recording.timesEffectOn = null;
}

function isDueBy({ state }: Recording, at: Instant): boolean {
  const next = state.timeline[0];
  return next !== undefined && next.at <= at;
}

/** Answers the grants that the change concerns. */
function recordDue(recording: Recording, due: Due, at: Instant): readonly Touched[] {
  const { state } = recording;
  if (due.kind === 'timeout') {
    const hold = state.holds.get(due.id);
    assert(hold !== undefined, `hold ${due.id} is due but not open`);
    recording.record(holdReleased(hold, 'expired'), at);
    return hold.allocations;
  }
  const grant = grantOf(state, due.id);
  if (due.kind === 'activate') {
    recording.record({ type: 'CreditsActivated', grantId: grant.id, amount: grant.free }, at);
    return [{ grantId: grant.id }];
  }
  recording.record(
    { type: 'CreditsExpired', grantId: grant.id, amount: grant.free, cost: costOf(grant, grant.free) },
    at,
  );
  return [{ grantId: grant.id }];
}
