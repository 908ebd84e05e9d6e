import type { CatalogState } from '#ledger/catalog.js';
import type { Invoice, InvoiceLine } from '../../shapes/billing.js';
import { isPlans } from './waiting.js';
import { packPriceId, type Charged } from '../pack-price.js';
import { netOf } from './proration.js';

const grossOf = (line: InvoiceLine): number => line.amount;

/**
 * What an invoice that sells credits charged for them: without discounts and tax, and before. Lines of the pack's own price count by
 * themselves, where there are some; else all that are of no plan, as a plan's line has bought its own credits.
 */
export function soldBy(
  invoice: Invoice,
  catalog: CatalogState,
): { readonly net: number; readonly charged: Charged | null } {
  const sumOf = (lines: readonly InvoiceLine[], amount: (line: InvoiceLine) => number): number =>
    lines.reduce((sum, line) => sum + amount(line), 0);
  const price = packPriceId(invoice.metadata, catalog);
  const own = invoice.lines.filter(({ priceId }) => price !== null && priceId === price);
  const lines = own.length > 0 ? own : invoice.lines.filter((line) => !isPlans(line, catalog));
  const odd = own.length > 0 ? [] : invoice.oddLines;
  const net = odd.reduce((sum, line) => sum + (line.net ?? 0), sumOf(lines, netOf));
  // A negative line is a discount. What a line that cannot be read charged before its discount is not known.
  const priced = lines.filter(({ amount }) => amount > 0);
  const gross = sumOf(priced, grossOf);
  const amounts = [gross, gross - sumOf(priced, ({ includedTax }) => includedTax)];
  return { net, charged: odd.length > 0 ? null : { currency: invoice.currency, amounts } };
}
