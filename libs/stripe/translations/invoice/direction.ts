import type { InvoiceLine } from '../../shapes/billing.js';

/**
 * Whether a line charges (1) or gives back (-1). A prorated line of 0.00 gives back where it names the lines that it credits; where it
 * does not, it is the opposite of what else there is of the item from that second on. 0 where nothing says it.
 */
export function directionOf(line: InvoiceLine, lines: readonly InvoiceLine[]): -1 | 0 | 1 {
  const known = ownDirection(line);
  if (known !== 0 || !line.proration) return known;
  const others = new Set(
    lines
      .filter((other) => other.periodStart === line.periodStart && mayBeOfOneItem(other, line))
      .map(ownDirection)
      .filter((direction) => direction !== 0),
  );
  if (others.size !== 1) return 0;
  return others.has(-1) ? 1 : -1;
}

const ownDirection = ({ amount, credits }: InvoiceLine): -1 | 0 | 1 =>
  amount > 0 ? 1 : amount < 0 || credits ? -1 : 0;

/** Newer shapes do not name the item of a prorated line. */
const mayBeOfOneItem = (a: InvoiceLine, b: InvoiceLine): boolean =>
  a.subscriptionId === b.subscriptionId &&
  (a.subscriptionItemId === null || b.subscriptionItemId === null || a.subscriptionItemId === b.subscriptionItemId);
