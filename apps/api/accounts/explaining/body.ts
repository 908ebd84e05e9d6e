import type { ExplainedConsumption } from './consumption.js';

/** A consumption as it is sent. */
export function consumptionBody(
  account: { readonly customerId: string; readonly unit: string },
  { stored, event, held, burnOrder, why, reversals }: ExplainedConsumption,
): object {
  const own = event.type === 'CreditsConsumed' ? event : null;
  const noted = own ?? held;
  return {
    id: event.consumptionId,
    ...account,
    amount: event.amount,
    allocations: event.allocations,
    debt: own?.debt ?? 0,
    burnOrder: burnOrder.name,
    usage: own?.usage ?? null,
    resource: event.resource ?? null,
    ...(event.scope === undefined ? {} : { scope: event.scope }),
    ...(event.type === 'HoldCaptured' ? { holdId: event.holdId } : {}),
    description: noted?.description ?? null,
    metadata: noted?.metadata ?? {},
    at: event.at,
    reversed: reversals.reduce((sum, { amount }) => sum + amount, 0),
    reversals,
    why,
    eventId: stored.id,
    position: stored.position,
  };
}
