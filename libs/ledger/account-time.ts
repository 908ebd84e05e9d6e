import { assert } from '#kernel/assert.js';
import { later, type Instant } from '#kernel/instant.js';
import { costOf } from './account-cost.js';
import { repayOwed } from './account-debt.js';
import { grantOf, holdReleased } from './account-lots.js';
import type { Recording } from './account-recording.js';
import { rollOver } from './account-rollover.js';
import type { AccountState, Due } from './account-state.js';

/** When time will next change the account by itself; null when it will not. */
export const nextDueAt = (state: AccountState): Instant | null => state.timeline[0]?.at ?? null;

/**
 * Records what time alone has done by the moment of the decision: grants became effective (and repaid debt), holds timed
 * out, grants expired. Each at its own instant, though never before the newest event. Every command records this first and
 * again after giving credits back, so the log shows time passing in order and no expired credit is ever spent.
 */
export function letTimePass(recording: Recording): void {
  for (;;) {
    const due = recording.state.timeline[0];
    if (due === undefined || due.at > recording.moment.at) return;
    const at = later(due.at, recording.state.lastAt);
    recordDue(recording, due, at);
    const next = recording.state.timeline[0];
    // What came free at an instant and did not expire at the same one pays what is owed.
    if (next === undefined || next.at > at) repayOwed(recording, at);
  }
}

function recordDue(recording: Recording, due: Due, at: Instant): void {
  const { state } = recording;
  if (due.kind === 'timeout') {
    const hold = state.holds.get(due.id);
    assert(hold !== undefined, `hold ${due.id} is due but not open`);
    recording.record(holdReleased(hold, 'expired'), at);
    return;
  }
  const grant = grantOf(state, due.id);
  if (due.kind === 'expire') {
    recording.record(
      { type: 'CreditsExpired', grantId: grant.id, amount: grant.free, cost: costOf(grant, grant.free) },
      at,
    );
    rollOver(recording, grant, grant.free, at);
    return;
  }
  recording.record({ type: 'CreditsActivated', grantId: grant.id, amount: grant.free }, at);
}
