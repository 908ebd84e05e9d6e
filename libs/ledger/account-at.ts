import type { Instant } from '#kernel/instant.js';
import { evolveAccount } from './account-evolve.js';
import { Recording } from './account-recording.js';
import type { AccountState } from './account-state.js';
import { letTimePass } from './account-time.js';

/** The account as it is at `at`, with everything that time has done by then, recorded or not. The given state stays as it is. */
export function accountAt(state: AccountState, at: Instant): AccountState {
  const recording = new Recording(state, { at, revision: 0, commandId: '', past: null }, evolveAccount);
  letTimePass(recording);
  return recording.state;
}
