import type { LedgerEvent } from '#ledger/events.js';
import type { StripeIntentEvent } from '#ledger/stripe/intent.js';
import type { ExpectedRow, Oracle, OracleFold } from '#projecting/projection.js';
import type { Projected } from '../ledger-projection.js';

class PendingOracle implements OracleFold<LedgerEvent> {
  readonly #rows = new Map<string, ExpectedRow['row']>();

  add({ recorded: { position }, event }: Projected): readonly ExpectedRow[] {
    const intent = event as StripeIntentEvent;
    const { intentId: intent_id } = intent;
    this.#rows.delete(intent_id);
    if (intent.type === 'StripeCallIntended') {
      const { operation, at: intended_at } = intent;
      this.#rows.set(intent_id, { intent_id, operation, intended_at, position });
    }
    return [];
  }

  *rest(): Iterable<ExpectedRow> {
    for (const row of this.#rows.values()) yield { table: 'pending_stripe_intents', row };
  }
}

/** What was intended and not settled since. */
export const stripeIntentsOracle: Oracle<LedgerEvent> = {
  keyOf: ({ stream }) => stream,
  fold: () => new PendingOracle(),
};
