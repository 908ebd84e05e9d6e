import type { EventStore } from '#event-store/port/event-store.js';
import { planAt } from '#ledger/usage/plans.js';
import type { Reader } from '#database/database.js';
import { usageFactsOf } from '../../../projections/usage/queries.js';

/** What Scrip says about one customer: its read models, and the events of the account. */
export type LedgerView = {
  readonly grants: readonly GrantSeen[];
  readonly payments: readonly Row[];
  readonly invoices: readonly Row[];
  readonly subscriptions: readonly Row[];
  readonly account: Row | null;
  /** The plan whose features and limits count now; null for the catalogue's free one, or none. */
  readonly planInForce: string | null;
  readonly events: readonly AccountEventSeen[];
  /** When it says so. */
  readonly asOf: string;
};

export type Row = Readonly<Record<string, string | number | boolean | null>>;
export type GrantSeen = {
  readonly id: string;
  readonly source: string;
  readonly reference: string | null;
  readonly description: string | null;
  /** What a subscription gives it for, as the event says; null for all else. */
  readonly term: TermSeen | null;
  readonly amount: number;
  readonly cost: number | null;
  readonly currency: string | null;
  readonly free: number;
  readonly held: number;
  readonly consumed: number;
  readonly expired: number;
  readonly revoked: number;
  readonly repaid: number;
  readonly createdAt: string;
  readonly effectiveAt: string;
  readonly expiresAt: string | null;
};
export type TermSeen = {
  readonly kind: string;
  readonly subscriptionId: string;
  readonly periodStart: string;
  readonly start: string;
  readonly end: string;
};
export type AccountEventSeen = {
  readonly type: string;
  readonly amount?: number;
  readonly writtenOff?: number;
  readonly grantId?: string | null;
  readonly allocations?: readonly { readonly grantId: string; readonly amount: number }[];
  readonly restored?: readonly { readonly grantId: string; readonly amount: number }[];
  readonly term?: TermSeen;
  readonly debtId?: string;
  readonly changeId?: string;
  readonly paymentReference?: string | null;
  readonly cause?: { readonly kind: string; readonly id: string; readonly grantId?: string | null };
};

const PAGE = 10_000;
const GRACE_DAYS = 3;

async function byCustomer(db: Reader, table: string, customers: readonly string[]): Promise<Map<string, Row[]>> {
  // In the order of their keys: grants as they were made, so that an audit finds the same whatever the server reads first.
  const text = `select * from scrip_read.${table} where customer_id = any($1) order by 1, 2`;
  const rows = await db.query<Row>({ text, values: [customers] });
  return Map.groupBy(rows, (row) => String(row['customer_id']));
}

/** Reads what Scrip says about each of the customers, in their order. */
export async function ledgerViews(
  db: Reader,
  store: EventStore,
  customers: readonly string[],
  asOf: string,
): Promise<readonly LedgerView[]> {
  const [grants, payments, invoices, subscriptions, accounts] = await Promise.all(
    ['grants', 'payments', 'invoices', 'subscriptions', 'account_balances'].map((table) =>
      byCustomer(db, table, customers),
    ),
  );
  const views: LedgerView[] = [];
  for (const customer of customers) {
    const events = await store.readStream(`account-${customer}`, 0, PAGE);
    const seen = events.map(({ type, data }): AccountEventSeen => ({ ...(JSON.parse(data) as object), type }));
    const granted = seen.filter(({ type }) => type === 'CreditsGranted');
    const terms = new Map(granted.map(({ grantId, term }) => [grantId, term ?? null]));
    views.push({
      grants: (grants?.get(customer) ?? []).map((row) => ({
        ...grantSeen(row),
        term: terms.get(String(row['grant_id'])) ?? null,
      })),
      payments: payments?.get(customer) ?? [],
      invoices: invoices?.get(customer) ?? [],
      subscriptions: subscriptions?.get(customer) ?? [],
      account: accounts?.get(customer)?.[0] ?? null,
      planInForce: planAt((await usageFactsOf(db, customer, null)).plans, asOf, GRACE_DAYS)?.planId ?? null,
      events: seen,
      asOf,
    });
  }
  return views;
}

function grantSeen(row: Row): Omit<GrantSeen, 'term'> {
  const text = (column: string): string | null => (row[column] === null ? null : String(row[column]));
  const cost = row['cost_amount'] ?? null;
  return {
    id: String(row['grant_id']),
    source: String(row['source']),
    reference: text('payment_reference'),
    description: text('description'),
    amount: Number(row['amount']),
    cost: cost === null ? null : Number(cost),
    currency: text('cost_currency'),
    free: Number(row['free']),
    held: Number(row['held']),
    consumed: Number(row['consumed']),
    expired: Number(row['expired']),
    revoked: Number(row['revoked']),
    repaid: Number(row['repaid']),
    createdAt: String(row['created_at']),
    effectiveAt: String(row['effective_at']),
    expiresAt: text('expires_at'),
  };
}
