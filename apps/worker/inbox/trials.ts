import type { LedgerHandlers } from '#composition/ledger-handlers.js';
import { subscriptionStream } from '#kernel/stream-name.js';
import { trialEndBy } from '#ledger/account/terms/trials.js';
import type { AccountCommand } from '#ledger/account/commands.js';
import type { FactCommand } from '#stripe/translations/translation.js';

type TrialCommand = Extract<AccountCommand, { type: 'AgreeTrial' | 'MoveTrial' }>;
export type TrialFact = FactCommand & { readonly to: 'account'; readonly command: TrialCommand };

/** Whether a fact is about a trial: it is settled after the subscription has taken in what the event shows. */
export const isOfTrial = (fact: FactCommand): fact is TrialFact =>
  fact.to === 'account' && (fact.command.type === 'AgreeTrial' || fact.command.type === 'MoveTrial');

/**
 * The fact with the end that the subscription shows by now, whichever of its events was reported last: what is newer is known to the
 * subscription, also within one second.
 */
export async function asTheTrialStands({ subscription }: LedgerHandlers, fact: TrialFact): Promise<TrialFact> {
  const { command } = fact;
  const { state, revision: version } = await subscription.load(subscriptionStream(command.subscriptionId));
  const { trialStart, trialEnd, seenAt } = state.standing ?? {};
  if (trialEnd == null || seenAt === undefined) return { ...fact, command: { ...command, version } };
  const shown = { start: trialStart ?? seenAt, end: trialEnd };
  if (command.type === 'MoveTrial') return { ...fact, command: { ...command, ...shown, version } };
  return { ...fact, command: { ...command, end: trialEndBy(command, shown), version } };
}
