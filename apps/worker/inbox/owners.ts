import type { LedgerHandlers } from '#composition/ledger-handlers.js';
import type { CommandRequest } from '#event-store/writing/command.js';
import { customerStream } from '#kernel/stream-name.js';
import { newsOf, type StripeCustomerCommand } from '#ledger/stripe/customer.js';
import { namesIn, ownershipOf } from '#ledger/stripe/customer-owner.js';
import type { ParkReason } from '#ledger/stripe/event.js';
import { refusalOf } from '../outcomes.js';

/** Whether a Stripe event names somebody else than the owner; null: it does not. */
export type Verdict = { readonly stripeEventId: string; readonly reason: ParkReason | null };

/**
 * Records what is said of a Stripe customer, and makes it known to everybody who was ever named. Answers how the Stripe events
 * stand that name somebody, as soon as they name several. May be repeated. Throws TryAgainLater.
 */
export async function recordStripeCustomer(
  handlers: Pick<LedgerHandlers, 'stripeCustomer' | 'customer'>,
  request: CommandRequest<StripeCustomerCommand>,
): Promise<readonly Verdict[]> {
  const { stripeCustomerId } = request.command;
  const outcome = await handlers.stripeCustomer.execute(request);
  await refusalOf(Promise.resolve(outcome));
  const state =
    outcome.kind === 'unchanged' ? outcome.state : (await handlers.stripeCustomer.load(request.stream)).state;
  for (const command of newsOf(stripeCustomerId, state))
    await refusalOf(
      handlers.customer.execute({ ...request, stream: customerStream(command.customerId), key: null, command }),
    );
  // Also where nobody is overruled any more: what was parked before a correction waits no longer.
  if (namesIn(state.statements).size < 2) return [];
  const { owners, overruled } = ownershipOf(state.statements);
  const owner = owners.at(-1)?.customerId ?? '';
  const reasons = new Map(
    overruled.map(({ stripeEventId, customerId }) => [stripeEventId, conflictOf(stripeCustomerId, owner, customerId)]),
  );
  const events = new Set(state.statements.flatMap(({ stripeEventId }) => stripeEventId ?? []));
  return [...events].map((stripeEventId) => ({ stripeEventId, reason: reasons.get(stripeEventId) ?? null }));
}

const conflictOf = (stripeCustomerId: string, owner: string, named: string): ParkReason => ({
  code: 'owner_conflict',
  subject: stripeCustomerId,
  detail: `${stripeCustomerId} belongs to the customer ${owner}, but this event names ${named}; correct the metadata at Stripe, or set the event aside`,
});
