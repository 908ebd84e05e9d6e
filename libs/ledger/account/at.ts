import type { Instant } from '#kernel/instant.js';
import { evolveAccount } from './evolve.js';
import type { AccountEvent } from './events.js';
import { Recording } from './recording.js';
import type { AccountState } from './state.js';
import { letTimePass } from './time.js';

/** An account with what time has done to it, and the events of that which are not recorded yet. */
export type TimePassed = { readonly state: AccountState; readonly events: readonly AccountEvent[] };

/**
 * What time does to an account until `at`, exactly as the next command records it, ids included. The given state stays as it is;
 * `revision` is that of its newest event.
 */
export function timePassed(state: AccountState, at: Instant, revision: number): TimePassed {
  const moment = { at, revision: revision + 1, commandId: '', past: null };
  const recording = new Recording(state, moment, evolveAccount);
  letTimePass(recording);
  return { state: recording.state, events: recording.events };
}

/** The account as it is at `at`, with everything that time has done by then, recorded or not. The given state stays as it is. */
export const accountAt = (state: AccountState, at: Instant): AccountState => timePassed(state, at, -1).state;
