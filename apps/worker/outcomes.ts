import type { CommandOutcome } from '#event-store/writing/command.js';
import type { Refused } from '#kernel/decider.js';

/** The store could not take a command, or it is not known whether it did; the same command again settles it. */
export class TryAgainLater extends Error {
  override readonly name = 'TryAgainLater';

  constructor(readonly outcome: 'conflict' | 'key_reused' | 'overloaded' | 'unavailable' | 'outcome_unknown') {
    super(`a command ended with ${outcome}`);
  }

  /** Whether only this command's stream is in trouble. Else the store is, and other commands would fare no better. */
  get ofOneStream(): boolean {
    return this.outcome === 'conflict' || this.outcome === 'key_reused';
  }
}

/** A command would record more than the log takes in one append. The same again would too: it is for a person to see to. */
export class CommandTooLarge extends Error {
  override readonly name = 'CommandTooLarge';

  constructor() {
    super('a command would record more than the log takes at once');
  }
}

/** What to throw for a command that ended without effect. */
export const failureOf = (outcome: TryAgainLater['outcome'] | 'too_large'): TryAgainLater | CommandTooLarge =>
  outcome === 'too_large' ? new CommandTooLarge() : new TryAgainLater(outcome);

/**
 * The refusal of a command; null when its effect is in the log or there was nothing to do.
 * Throws TryAgainLater when the command has to be repeated, CommandTooLarge when that would not help.
 */
export async function refusalOf<Event, State, Refusal extends Refused>(
  execution: Promise<CommandOutcome<Event, State, Refusal>>,
): Promise<Refusal | null> {
  const outcome = await execution;
  if (outcome.kind === 'refused') return outcome.refusal;
  if (outcome.kind === 'recorded' || outcome.kind === 'unchanged') return null;
  throw failureOf(outcome.kind);
}
