import type Stripe from 'stripe';
import type { Json } from '#kernel/json.js';
import type { StripeAnswer, StripeClient } from './client.js';
import { plainJson } from './outbound-events.js';
import { redact } from './redact.js';

const PAGE = 100;
/** Stripe allows a few hundred lines; what is far beyond is no invoice that the ledger should take in. */
const MAX_LINES = 5_000;

const refused = (code: string): StripeAnswer<never> => ({ kind: 'refused', status: 200, code, param: null });

/**
 * All lines of an invoice, in Stripe's order, without personal data. `refused` with `too_many_lines` or `other_invoice` when the
 * answer cannot be that.
 */
export async function linesOfInvoice(client: StripeClient, invoiceId: string): Promise<StripeAnswer<readonly Json[]>> {
  const lines: Stripe.InvoiceLineItem[] = [];
  for (;;) {
    const after = lines.at(-1)?.id;
    const params = { limit: PAGE, ...(after === undefined ? {} : { starting_after: after }) };
    const answer = await client.ask('list', (stripe) => stripe.invoices.listLineItems(invoiceId, params));
    if (answer.kind !== 'answered') return answer;
    const { data, has_more: hasMore } = answer.value;
    if (data.some(({ invoice }) => invoice !== null && invoice !== invoiceId)) return refused('other_invoice');
    lines.push(...data);
    if (lines.length > MAX_LINES) return refused('too_many_lines');
    if (!hasMore || data.length === 0) return { kind: 'answered', value: lines.map((line) => redact(plainJson(line))) };
  }
}

/** All lines of a credit note, in Stripe's order. `refused` with `too_many_lines` when there are more than the ledger takes in. */
export async function linesOfCreditNote(client: StripeClient, noteId: string): Promise<StripeAnswer<readonly Json[]>> {
  const lines: Stripe.CreditNoteLineItem[] = [];
  for (;;) {
    const after = lines.at(-1)?.id;
    const params = { limit: PAGE, ...(after === undefined ? {} : { starting_after: after }) };
    const answer = await client.ask('list', (stripe) => stripe.creditNotes.listLineItems(noteId, params));
    if (answer.kind !== 'answered') return answer;
    lines.push(...answer.value.data);
    if (lines.length > MAX_LINES) return refused('too_many_lines');
    if (!answer.value.has_more || answer.value.data.length === 0)
      return { kind: 'answered', value: lines.map((line) => redact(plainJson(line))) };
  }
}
