import type { Price } from '../core/model.js';
import { money } from './html.js';

/** ` / month`, ` every 3 months`, or nothing for what is paid once. */
export function everyText({ recurring }: Pick<Price, 'recurring'>): string {
  if (recurring === null) return '';
  const { interval, interval_count: count } = recurring;
  return count === 1 ? ` / ${interval}` : ` every ${count} ${interval}s`;
}

/** `$19.00 / month`. */
export const priceText = (price: Price): string =>
  `${price.unit_amount === null ? 'by quantity' : money(price.unit_amount, price.currency)}${everyText(price)}`;
