import type { LedgerHandlers } from '#composition/ledger-handlers.js';
import type { CommandRequest } from '#event-store/writing/command.js';
import { paymentStream } from '#kernel/stream-name.js';
import type { AccountCommand } from '#ledger/account/commands.js';
import type { AccountEvent, AccountEventOf, Sale } from '#ledger/account/events.js';
import type { ParkReason } from '#ledger/stripe/event.js';
import type { FactCommand } from '#stripe/translations/translation.js';
import { refusedBy } from './refusals.js';
import { failureOf } from '../outcomes.js';

type SaleCommand = Extract<AccountCommand, { type: 'GrantCredits' }> & { readonly sale: Sale };
type SaleFact = FactCommand & { readonly to: 'account'; readonly command: SaleCommand };

export const isSale = (fact: FactCommand): fact is SaleFact =>
  fact.to === 'account' && fact.command.type === 'GrantCredits' && fact.command.sale !== undefined;

const isOfSale = (event: AccountEvent): event is AccountEventOf<'CreditsGranted'> =>
  event.type === 'CreditsGranted' && event.sale !== undefined;

/** How a sale ended: under which id its payment is kept, null while nobody knows; and why it waits, if it does. */
export type Sold = {
  readonly reference: string | null;
  readonly granted: boolean;
  readonly reason: ParkReason | null;
};

/** An invoice may be paid by several intents, an account have several sales of as much: more links than this are not followed. */
const MAX_APART = 100;

/**
 * Grants what was sold, once for each payment, whatever reports it and in whatever order: session, intent and invoice are one
 * sale where they name each other, or where a link that is known by now says so. What may be the same sale, and no link says
 * whether, waits for the link. Throws TryAgainLater when it has to be repeated, CommandTooLarge.
 */
export async function sell(
  handlers: LedgerHandlers,
  { stream, key, command }: SaleFact,
  by: Omit<CommandRequest<never>, 'stream' | 'key' | 'command'>,
): Promise<Sold> {
  const linked = async (id: string): Promise<string | null> =>
    (await handlers.payment.load(paymentStream(id))).state.invoiceId;
  let { sale } = command;
  // A session names its intent and its invoice itself.
  if (sale.session === null) sale = await withLink(sale, linked);
  const apart: string[] = [];
  for (;;) {
    const outcome = await handlers.account.execute({ ...by, stream, key, command: { ...command, sale, apart } });
    if (outcome.kind === 'unchanged') return { reference: command.paymentReference, granted: false, reason: null };
    if (outcome.kind === 'recorded') {
      // What time did by then is recorded before it: also a grant of what went on from a month that had ended.
      const grant = outcome.events.map(({ event }) => event).find(isOfSale);
      return { reference: grant?.paymentReference ?? command.paymentReference, granted: true, reason: null };
    }
    if (outcome.kind !== 'refused') throw failureOf(outcome.kind);
    const { refusal } = outcome;
    if (refusal.rejected === 'sold_already')
      return { reference: refusal.paymentReference, granted: false, reason: null };
    if (refusal.rejected !== 'sale_in_doubt') {
      return { reference: command.paymentReference, granted: false, reason: refusedBy(stream, refusal.rejected) };
    }
    const { other } = refusal;
    const link = apart.length < MAX_APART ? await linked(other) : null;
    if (link === null) return { reference: null, granted: false, reason: doubtOf(sale, other) };
    if (link === sale.invoice) sale = { ...sale, intent: other };
    else if (link === sale.intent) sale = { ...sale, invoice: other };
    else apart.push(other);
  }
}

async function withLink(sale: Sale, linked: (id: string) => Promise<string | null>): Promise<Sale> {
  if (sale.invoice === null && sale.intent !== null) return { ...sale, invoice: await linked(sale.intent) };
  if (sale.intent === null && sale.invoice !== null) return { ...sale, intent: await linked(sale.invoice) };
  return sale;
}

/** `subject`: the invoice, whose link settles it. */
const doubtOf = ({ invoice }: Sale, other: string): ParkReason => ({
  code: 'sale_in_doubt',
  subject: invoice ?? other,
  detail:
    'an invoice and a payment intent of the same amount may be one payment: invoice_payment.paid says so; `scrip stripe reconcile --repair` finds it at Stripe',
});
