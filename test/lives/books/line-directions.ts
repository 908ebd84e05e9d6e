import type { Invoice, InvoiceLine } from '../../../apps/stripe-sandbox/core/model.js';

/** A line charges (1), gives back (-1), or nothing says which (0). */
export type Direction = -1 | 0 | 1;

/** Whether a line is of a change within a period. */
export const isChange = (line: InvoiceLine): boolean => line.parent?.invoice_item_details?.proration === true;
/** Whether anything is left of a changed period; of one that ended while its subscription was paused, nothing is. */
export const isWithin = ({ period }: InvoiceLine): boolean => period.start < period.end;
export const itemOf = (line: InvoiceLine): string => line.parent?.subscription_item_details?.subscription_item ?? '';

/** A change of 0.00 that says nothing itself is the opposite of all else that begins then and may be of its item. */
export function directionOf(line: InvoiceLine, { lines }: Invoice): Direction {
  const said = saidBy(line);
  if (said !== 0 || !isChange(line)) return said;
  const beside = lines.data.filter((one) => one.period.start === line.period.start && mayBeOfOneItem(one, line));
  const [charges, givesBack] = [beside.some((one) => saidBy(one) > 0), beside.some((one) => saidBy(one) < 0)];
  if (charges === givesBack) return 0;
  return charges ? -1 : 1;
}

/** What a line says by itself: one that names what it credits gives back, whatever its amount; another of 0.00 says nothing. */
function saidBy({ amount, parent }: InvoiceLine): Direction {
  if (amount < 0 || parent?.invoice_item_details?.proration_details?.credited_items != null) return -1;
  return amount > 0 ? 1 : 0;
}

/** Lines of changes do not name their item. */
const mayBeOfOneItem = (a: InvoiceLine, b: InvoiceLine): boolean =>
  a.subscription === b.subscription && (itemOf(a) === '' || itemOf(b) === '' || itemOf(a) === itemOf(b));
