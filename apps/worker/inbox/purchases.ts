import type { LedgerHandlers } from '#composition/ledger-handlers.js';
import type { CommandRequest } from '#event-store/writing/command.js';
import { paymentStream } from '#kernel/stream-name.js';
import type { AccountCommand } from '#ledger/account/commands.js';
import type { AccountEvent, AccountEventOf, Sale } from '#ledger/account/events.js';
import type { ParkReason } from '#ledger/stripe/event.js';
import type { FactCommand } from '#stripe/translations/translation.js';
import { failureOf } from '../outcomes.js';
import { refusedBy } from '../reasons.js';

type SaleCommand = Extract<AccountCommand, { type: 'GrantCredits' }> & { readonly sale: Sale };
type SaleFact = FactCommand & { readonly to: 'account'; readonly command: SaleCommand };

export const isSale = (fact: FactCommand): fact is SaleFact =>
  fact.to === 'account' && fact.command.type === 'GrantCredits' && fact.command.sale !== undefined;

const isOfSale = (event: AccountEvent): event is AccountEventOf<'CreditsGranted'> =>
  event.type === 'CreditsGranted' && event.sale !== undefined;

/** How a purchase ended: under which id its payment is recorded, null while that is unknown; and why it is parked, if it is. */
export type PurchaseOutcome = {
  readonly reference: string | null;
  readonly granted: boolean;
  readonly reason: ParkReason | null;
};

/** Bound of the links that are followed for one purchase: an invoice may be paid by several intents of the same amount. */
const MAX_DISTINCT = 100;

/**
 * Grants the credits of a purchase once for each payment, whichever objects report it and in whatever order. Session, intent and
 * invoice are one purchase where they name each other, or where a recorded link does. A possible duplicate without a link is
 * parked until the link is known. Throws TryAgainLater when it has to be repeated, CommandTooLarge.
 */
export async function grantPurchase(
  handlers: LedgerHandlers,
  { stream, key, command }: SaleFact,
  by: Omit<CommandRequest<never>, 'stream' | 'key' | 'command'>,
): Promise<PurchaseOutcome> {
  const linked = async (id: string): Promise<string | null> =>
    (await handlers.payment.load(paymentStream(id))).state.invoiceId;
  let { sale } = command;
  // A session names its intent and its invoice itself.
  if (sale.session === null) sale = await withLink(sale, linked);
  const knownDistinct: string[] = [];
  for (;;) {
    const outcome = await handlers.account.execute({
      ...by,
      stream,
      key,
      command: { ...command, sale, knownDistinct },
    });
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
    const link = knownDistinct.length < MAX_DISTINCT ? await linked(other) : null;
    if (link === null) return { reference: null, granted: false, reason: doubtOf(sale, other) };
    if (link === sale.invoice) sale = { ...sale, intent: other };
    else if (link === sale.intent) sale = { ...sale, invoice: other };
    else knownDistinct.push(other);
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
