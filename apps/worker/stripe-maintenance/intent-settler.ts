import type { LedgerHandlers } from '#composition/ledger-handlers.js';
import type { Clock } from '#kernel/clock.js';
import { instantOf, type Instant } from '#kernel/instant.js';
import { customerStream } from '#kernel/stream-name.js';
import { stripeCustomerStream } from '#ledger/stripe/customer.js';
import type { StripeIntent } from '#ledger/stripe/intent.js';
import type { PendingIntent } from '#projections/stripe-intents/queries.js';
import type { StripeClient } from '#stripe/operations/client.js';
import { lookupOf, type Known } from '#stripe/operations/lookup.js';
import { settleStripeCall } from '#stripe/operations/run.js';
import { eachBounded } from '#consuming/bounded.js';
import { intentLogOf, requestOnIntent } from './intent-log.js';
import { recordStripeCustomer } from '../inbox/owners.js';

/** Longer than any call to Stripe, with all its repeats, is under way. */
const LEFT_ALONE_MS = 5 * 60_000;
const PAGE = 100;
const CONCURRENCY = 4;

type Parts = {
  readonly client: StripeClient;
  readonly handlers: LedgerHandlers;
  readonly clock: Clock;
  /** May lag behind the log. */
  readonly pending: (before: Instant, after: PendingIntent | null, limit: number) => Promise<readonly PendingIntent[]>;
};

/**
 * Settles calls to Stripe that nobody heard the end of, because a process died or Stripe was away, and that nobody has come back
 * for: a look at Stripe says whether they had their effect, and the log then says so too.
 */
export class IntentSettler {
  constructor(private readonly parts: Parts) {}

  /** Goes once through all that is pending for long. False when Stripe did not answer, or does not let us look. Throws TryAgainLater. */
  async runOnce(signal: AbortSignal): Promise<boolean> {
    const before = instantOf(this.parts.clock.now() - LEFT_ALONE_MS);
    let answers = true;
    for (let after: PendingIntent | null = null; answers && !signal.aborted;) {
      const page: readonly PendingIntent[] = await this.parts.pending(before, after, PAGE);
      await eachBounded(page, CONCURRENCY, async ({ intentId }) => {
        answers = answers && (await this.#settle(intentId, before));
      });
      after = page.at(-1) ?? null;
      if (page.length < PAGE) break;
    }
    return answers;
  }

  async #settle(intentId: string, before: Instant): Promise<boolean> {
    const { client, clock, handlers } = this.parts;
    const log = intentLogOf(handlers);
    const state = await log.load(intentId);
    if (state.intent === null || state.status !== 'pending' || (state.intendedAt ?? before) >= before) return true;
    if (state.intent.operation === 'update_customer') return true; // by the ContactSender, however long it takes
    const lookup = lookupOf(state.intent, await this.#known(state.intent));
    const settled = await settleStripeCall(lookup, state, { client, log, clock });
    if (settled.kind !== 'answered') return false;
    if (settled.value !== null) await this.#link(state.intent, settled.value, state.intendedAt ?? before);
    return true;
  }

  async #known({ customerId }: StripeIntent): Promise<Known> {
    if (customerId === null) return { stripeCustomerIds: [] };
    const { state } = await this.parts.handlers.customer.load(customerStream(customerId));
    // Also what was deleted, or turned out to be another's: the call may have been under it.
    return { stripeCustomerIds: state.stripeCustomers.map(({ stripeCustomerId }) => stripeCustomerId) };
  }

  async #link({ intentId, customerId, operation }: StripeIntent, stripeCustomerId: string, at: Instant): Promise<void> {
    if (operation !== 'create_customer' || customerId === null) return;
    const statement = { customerId, source: 'customer', at, stripeEventId: null } as const;
    const command = { type: 'NameStripeCustomer', stripeCustomerId, statement } as const;
    const stream = stripeCustomerStream(stripeCustomerId);
    await recordStripeCustomer(this.parts.handlers, { stream, command, ...requestOnIntent(intentId) });
  }
}
