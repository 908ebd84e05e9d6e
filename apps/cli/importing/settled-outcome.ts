import { StoreUnavailable } from '#event-store/port/event-store.js';
import { sleepJittered, type Clock } from '#kernel/clock.js';

const ATTEMPTS = 8;
const FIRST_WAIT_MS = 100;
const LONGEST_WAIT_MS = 5_000;

/** Busy, or not known to be recorded: the same key settles it. */
const passing = ['conflict', 'overloaded', 'unavailable', 'outcome_unknown'] as const;
/** The commands of an import have no fingerprints and are small: a bug. */
const impossible = ['key_reused', 'too_large'] as const;
type Unsettled = (typeof passing)[number] | (typeof impossible)[number];

/**
 * Runs a command until it has ended in one way or the other: what is busy, or may have been recorded, is tried again under the same
 * key. Throws StoreUnavailable when that does not end within eight tries.
 */
export async function settledOutcome<Outcome extends { readonly kind: string }>(
  clock: Clock,
  execute: () => Promise<Outcome>,
): Promise<Exclude<Outcome, { readonly kind: Unsettled }>> {
  for (let attempt = 1; ; attempt += 1) {
    const outcome = await execute();
    if (isSettled(outcome)) return outcome;
    if (impossible.some((kind) => kind === outcome.kind))
      throw new Error(`a command of the import ended in ${outcome.kind}`);
    if (attempt === ATTEMPTS)
      throw new StoreUnavailable(
        `the log does not take what is imported (${outcome.kind}): run this again later, it goes on where it was`,
      );
    await sleepJittered(clock, Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** (attempt - 1)));
  }
}

const isSettled = <Outcome extends { readonly kind: string }>(
  outcome: Outcome,
): outcome is Exclude<Outcome, { readonly kind: Unsettled }> =>
  ![...passing, ...impossible].some((kind) => kind === outcome.kind);
