import type { LedgerHandlers } from '#composition/ledger-handlers.js';
import type { CommandRequest } from '#event-store/writing/command.js';
import { subscriptionStream, usageStream, type StreamName } from '#kernel/stream-name.js';
import type { UsageCommand } from '#ledger/usage/usage.js';
import { refusalOf } from '../outcomes.js';

type Observe = Extract<UsageCommand, { type: 'ObservePlan' }>;

/** Records what counts for what customers may use. Throws TryAgainLater. */
export async function recordPlan(handlers: LedgerHandlers, request: CommandRequest<UsageCommand>): Promise<void> {
  await refusalOf(handlers.usage.execute(request));
  const { command } = request;
  if (command.type === 'ObservePlan') await showToOwners(handlers, { ...request, command });
}

/**
 * A subscription that was several customers' is shown whole to each of them, whatever was reported first: so it ends to count for the
 * one when it begins to count for the other.
 */
async function showToOwners({ subscription, usage }: LedgerHandlers, request: CommandRequest<Observe>): Promise<void> {
  const { snapshot } = request.command;
  const { state } = await subscription.load(subscriptionStream(snapshot.subscriptionId));
  const owners = new Set([snapshot, ...state.observations.map((each) => each.snapshot)].map((each) => each.customerId));
  if (owners.size === 1) return;
  const commands: readonly Observe[] = [
    ...state.observations.map(({ snapshot: shown, step }): Observe => {
      return { type: 'ObservePlan', snapshot: shown, ...(step === null ? {} : { step }) };
    }),
    request.command,
  ];
  const show = async (stream: StreamName): Promise<void> => {
    // Known ones change nothing.
    for (const command of commands) await refusalOf(usage.execute({ ...request, stream, command, key: null }));
  };
  await Promise.all([...owners].map((customerId) => show(usageStream(customerId))));
}
