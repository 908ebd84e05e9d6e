import type { RowOf, Table } from '#projecting/tables.js';

/** What is known of customers' plans: one row for each event that says something of them, `event` its data. */
export const usagePlans = {
  name: 'usage_plans',
  visibleTo: 'own-rows',
  key: ['customer_id', 'revision'],
  columns: { customer_id: 'text', revision: 'bigint', type: 'text', event: 'text' },
} as const satisfies Table;

/** What counts for limits: one row for each feature that a customer used, as the ledger's `encodeCounts` writes it. */
export const usageCounts = {
  name: 'usage_counts',
  visibleTo: 'own-rows',
  key: ['customer_id', 'feature'],
  changing: true,
  columns: { customer_id: 'text', feature: 'text', counts: 'text' },
} as const satisfies Table;

/** What was used in an hour, from its start (`hour`). Days and months are sums of hours. */
export const usageHours = {
  name: 'usage_hours',
  visibleTo: 'own-rows',
  key: ['customer_id', 'feature', 'hour'],
  changing: true,
  columns: { customer_id: 'text', feature: 'text', hour: 'text', quantity: 'bigint' },
} as const satisfies Table;

export type PlanRow = RowOf<typeof usagePlans>;
export type CountsRow = RowOf<typeof usageCounts>;
export type HourRow = RowOf<typeof usageHours>;
