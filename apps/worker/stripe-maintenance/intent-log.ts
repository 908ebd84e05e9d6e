import type { LedgerHandlers } from '#composition/ledger-handlers.js';
import { stripeIntentStream } from '#ledger/stripe/intent.js';
import type { IntentLog } from '#stripe/operations/run.js';
import { refusalOf } from '../outcomes.js';

/** Where the worker loads and records intents of calls to Stripe. Both throw TryAgainLater when the log cannot be asked or told. */
export const intentLogOf = ({ stripeIntent }: LedgerHandlers): IntentLog => ({
  load: async (intentId) => (await stripeIntent.load(stripeIntentStream(intentId))).state,
  record: async (intentId, command) => {
    await refusalOf(
      stripeIntent.execute({ stream: stripeIntentStream(intentId), command, ...requestOnIntent(intentId) }),
    );
  },
});

/** How a command names what it follows from: an intent. */
export const requestOnIntent = (intentId: string) =>
  ({
    key: null, // the state says whether it is done
    origin: 'stripe',
    fingerprint: null,
    actor: 'worker',
    causationId: null,
    correlationId: intentId,
  }) as const;
