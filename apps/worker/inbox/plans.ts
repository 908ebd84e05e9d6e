import type { LedgerHandlers } from '#composition/ledger-handlers.js';
import type { CommandRequest } from '#event-store/writing/command.js';
import { subscriptionStream, usageStream } from '#kernel/stream-name.js';
import type { UsageCommand } from '#ledger/usage/usage.js';
import { refusalOf } from '../outcomes.js';

/**
 * Records what counts for what customers may use. A subscription is shown to everybody whose it was, too: it does not count for them any
 * more. Throws TryAgainLater.
 */
export async function recordPlan(
  { subscription, usage }: LedgerHandlers,
  request: CommandRequest<UsageCommand>,
): Promise<void> {
  const streams = new Set([request.stream]);
  const { command } = request;
  if (command.type === 'ObservePlan') {
    const { state } = await subscription.load(subscriptionStream(command.snapshot.subscriptionId));
    for (const { snapshot } of state.observations) streams.add(usageStream(snapshot.customerId));
  }
  await Promise.all([...streams].map((stream) => refusalOf(usage.execute({ ...request, stream }))));
}
