import { allowancesProjection } from './allowances/allowances.js';
import { balances } from './balances/balances.js';
import { catalogueProjection } from './catalogue/catalogue.js';
import { claimsProjection } from './claims/claims.js';
import { commandKeysProjection } from './command-keys/command-keys.js';
import { customersProjection } from './customers/customers.js';
import { grantUsesProjection } from './grant-uses/grant-uses.js';
import { historyProjection } from './history/history.js';
import { invoicesProjection } from './invoices/invoices.js';
import type { LedgerProjection } from './ledger-projection.js';
import { parkedEventsProjection } from './parked-events/parked-events.js';
import { paymentsProjection } from './payments/payments.js';
import { stripeIntentsProjection } from './stripe-intents/stripe-intents.js';
import { subscriptionsProjection } from './subscriptions/subscriptions.js';
import { transfersProjection } from './transfers/transfers.js';
import { usageProjection } from './usage/usage.js';

/** Every projection there is. */
export const projections: readonly LedgerProjection[] = [
  balances,
  historyProjection,
  claimsProjection,
  grantUsesProjection,
  customersProjection,
  catalogueProjection,
  parkedEventsProjection,
  allowancesProjection,
  subscriptionsProjection,
  paymentsProjection,
  invoicesProjection,
  stripeIntentsProjection,
  usageProjection,
  transfersProjection,
  commandKeysProjection,
];

/** Those that a store needs: one that finds every event id by itself does without the index of command keys. */
export const projectionsFor = (store: { readonly knowsEveryId: boolean }): readonly LedgerProjection[] =>
  store.knowsEveryId ? projections.filter((projection) => projection !== commandKeysProjection) : projections;
