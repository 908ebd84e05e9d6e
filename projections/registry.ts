import { allowancesProjection } from './allowances.js';
import { balances } from './balances.js';
import { catalogueProjection } from './catalogue.js';
import { claimsProjection } from './claims.js';
import { commandKeysProjection } from './command-keys.js';
import { customersProjection } from './customers.js';
import { historyProjection } from './history.js';
import { invoicesProjection } from './invoices.js';
import type { LedgerProjection } from './ledger-projection.js';
import { parkedEventsProjection } from './parked-events.js';
import { paymentsProjection } from './payments.js';
import { stripeIntentsProjection } from './stripe-intents.js';
import { subscriptionsProjection } from './subscriptions.js';

/** Every projection there is. */
export const projections: readonly LedgerProjection[] = [
  balances,
  historyProjection,
  claimsProjection,
  customersProjection,
  catalogueProjection,
  parkedEventsProjection,
  allowancesProjection,
  subscriptionsProjection,
  paymentsProjection,
  invoicesProjection,
  stripeIntentsProjection,
  commandKeysProjection,
];

/** Those that a store needs: one that finds every event id by itself does without the index of command keys. */
export const projectionsFor = (store: { readonly knowsEveryId: boolean }): readonly LedgerProjection[] =>
  store.knowsEveryId ? projections.filter((projection) => projection !== commandKeysProjection) : projections;
