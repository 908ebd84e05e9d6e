import type { Instant } from '#kernel/instant.js';
import type { PaymentState } from '#ledger/payment/state.js';
import type { StripeAnswer, StripeClient } from '../operations/client.js';
import { inSlices } from '../operations/in-slices.js';
import type { Difference } from './compare.js';
import type { Finding, Stage } from './stages.js';

/** What the ledger has, to be looked for at Stripe. */
export type LedgerContents = {
  payment(id: string): Promise<PaymentState>;
  /** At most `limit` ids of payments after `after`, in their order; may lag behind the log. */
  payments(after: string, limit: number): Promise<readonly string[]>;
  /** Those of the ids that no page of Stripe's lists has held in this run. */
  unlisted(ids: readonly string[]): Promise<readonly string[]>;
};

type Kind = 'payment' | 'refund' | 'dispute' | 'credit_note';
type Fact = { readonly kind: Kind; readonly id: string; readonly at: Instant; readonly ledger: Difference['ledger'] };

const PAGE = 100;

/**
 * Looks at Stripe for each payment, refund, dispute and credit note of the ledger that none of Stripe's lists held: what Stripe says
 * that it does not have is a difference, which no repair can mend. `since`: what is older is left out, as it is of the lists.
 */
export const ledgerStage = (ledger: LedgerContents, client: StripeClient, since: Instant | null): Stage => ({
  name: 'the ledger',
  page: async (after) => {
    const ids = await ledger.payments(after ?? '', PAGE);
    const facts = (await inSlices(ids, async (id) => factsOf(await ledger.payment(id))))
      .flat()
      .filter(({ at }) => since === null || at >= since);
    const unlisted = new Set(await ledger.unlisted(facts.map(({ id }) => id)));
    const findings: Finding[] = [];
    for (const fact of facts.filter(({ id }) => unlisted.has(id))) {
      const answer = await lookFor(client, fact);
      if (answer.kind === 'unavailable' || (answer.kind === 'refused' && answer.status !== 404)) return answer;
      if (answer.kind === 'refused') findings.push(findingOf(fact));
    }
    const next = ids.length < PAGE ? null : (ids.at(-1) ?? null);
    return { kind: 'answered', value: { checked: facts.length, findings, listed: [], next } };
  },
});

function findingOf({ kind, id, ledger }: Fact): Finding {
  const difference: Difference = { type: `${kind}_only_in_ledger`, id, stripe: null, ledger };
  return { difference, event: null, recheck: () => Promise.resolve(difference) };
}

/** What came in and what went back of one payment. A link alone is no payment. */
function factsOf({ paymentId, payment, attempt, moneyBack }: PaymentState): readonly Fact[] {
  const facts: Fact[] = [];
  const add = (kind: Kind, id: string, at: Instant, ledger: Difference['ledger']): void => {
    facts.push({ kind, id, at, ledger });
  };
  if (payment !== null) add('payment', paymentId, payment.paidAt, { status: 'succeeded', ...payment.money });
  else if (attempt !== null) add('payment', paymentId, attempt.at, { status: attempt.status, ...attempt.money });
  for (const { refundId, createdAt, amount, status } of moneyBack.refunds)
    add('refund', refundId, createdAt, { amount, status });
  for (const { disputeId, createdAt, amount, status } of moneyBack.disputes)
    add('dispute', disputeId, createdAt, { amount, status });
  for (const { creditNoteId, createdAt, amount, status } of moneyBack.creditNotes)
    add('credit_note', creditNoteId, createdAt, { amount, status });
  return facts;
}

function lookFor(client: StripeClient, { kind, id }: Fact): Promise<StripeAnswer<unknown>> {
  switch (kind) {
    case 'refund':
      return client.ask('refund', (stripe) => stripe.refunds.retrieve(id));
    case 'dispute':
      return client.ask('dispute', (stripe) => stripe.disputes.retrieve(id));
    case 'credit_note':
      return client.ask('credit_note', (stripe) => stripe.creditNotes.retrieve(id));
    default:
      return lookForPayment(client, id);
  }
}

/** A payment is kept under the id of its intent, its invoice, its session or, of times before intents, its charge. */
function lookForPayment(client: StripeClient, id: string): Promise<StripeAnswer<unknown>> {
  if (id.startsWith('in_')) return client.ask('invoice', (stripe) => stripe.invoices.retrieve(id));
  if (id.startsWith('cs_')) return client.ask('checkout.session', (stripe) => stripe.checkout.sessions.retrieve(id));
  if (id.startsWith('pi_')) return client.ask('payment_intent', (stripe) => stripe.paymentIntents.retrieve(id));
  return client.ask('charge', (stripe) => stripe.charges.retrieve(id));
}
