import type Stripe from 'stripe';
import type { Json } from '#kernel/json.js';
import type { StripeAnswer, StripeClient } from './client.js';
import { plainJson } from './events.js';
import { redact } from '../webhook/redact.js';

const PAGE = 100;
/** Stripe allows a few hundred lines; what is far beyond is no invoice that the ledger should take in. */
const MAX_LINES = 5_000;

const refused = (code: string): StripeAnswer<never> => ({ kind: 'refused', status: 200, code, param: null });

type Page<Line> = { readonly data: readonly Line[]; readonly has_more: boolean };

/**
 * All lines of an invoice, in Stripe's order, without personal data. `refused` with `too_many_lines`, `no_lines` or `other_invoice`
 * when the answer cannot be that.
 */
export function linesOfInvoice(client: StripeClient, invoiceId: string): Promise<StripeAnswer<readonly Json[]>> {
  return allLines(async (page) => {
    const answer = await client.ask('list', (stripe) => stripe.invoices.listLineItems(invoiceId, page));
    const isOther = ({ invoice }: Stripe.InvoiceLineItem): boolean => invoice !== null && invoice !== invoiceId;
    return answer.kind === 'answered' && answer.value.data.some(isOther) ? refused('other_invoice') : answer;
  });
}

/** All lines of a credit note, as `linesOfInvoice` gives those of an invoice. */
export const linesOfCreditNote = (client: StripeClient, noteId: string): Promise<StripeAnswer<readonly Json[]>> =>
  allLines((page) => client.ask('list', (stripe) => stripe.creditNotes.listLineItems(noteId, page)));

async function allLines<Line extends { readonly id: string }>(
  pageOf: (page: { readonly limit: number; readonly starting_after?: string }) => Promise<StripeAnswer<Page<Line>>>,
): Promise<StripeAnswer<readonly Json[]>> {
  const lines: Line[] = [];
  for (;;) {
    const after = lines.at(-1)?.id;
    const answer = await pageOf({ limit: PAGE, ...(after === undefined ? {} : { starting_after: after }) });
    if (answer.kind !== 'answered') return answer;
    const { data, has_more: hasMore } = answer.value;
    // The webhook held some and said that there are more: a list that ends before it has any is not theirs.
    if (data.length === 0 && (hasMore || lines.length === 0)) return refused('no_lines');
    lines.push(...data);
    if (lines.length > MAX_LINES) return refused('too_many_lines');
    if (!hasMore) return { kind: 'answered', value: lines.map((line) => redact(plainJson(line))) };
  }
}
