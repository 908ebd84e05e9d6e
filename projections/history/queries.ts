import { sql } from 'kysely';
import type { Instant } from '#kernel/instant.js';
import type { Json } from '#kernel/json.js';
import type { Resource } from '#ledger/account/events.js';
import { pageOf, type Cursor, type CursorShape, type Page } from '#database/page.js';
import { toPosition } from '#projecting/generations.js';
import type { Reader } from '#database/database.js';
import { arrayText } from '#database/values.js';
import { queryBuilder } from '#projecting/query-builder.js';
import type { StoredRow } from '#projecting/tables.js';
import type { HistoryType, history } from './history.js';
import { metadataTerm, resourceTerms, type historyTerms } from './terms.js';

export type HistoryEntry = {
  readonly id: string;
  readonly type: HistoryType;
  readonly at: Instant;
  /** The signed change of the available credits. */
  readonly amount: number;
  /** The available credits after it. */
  readonly balanceAfter: number;
  /** The signed change of the credits that are owed. */
  readonly debtChange: number;
  readonly grantId?: string;
  readonly consumptionId?: string;
  readonly holdId?: string;
  readonly reversalId?: string;
  readonly adjustmentId?: string;
  readonly transferId?: string;
  readonly resource?: Resource;
  readonly description?: string;
  readonly metadata?: Json;
  readonly paymentReference?: string;
  readonly actor: string;
  readonly eventId: string;
  readonly position: string;
};

export type HistoryFilter = {
  readonly customerId: string;
  readonly unit: string;
  readonly types?: readonly HistoryType[];
  /** From this instant on. */
  readonly from?: Instant;
  /** Before this instant. */
  readonly to?: Instant;
  /** Nothing after this position. */
  readonly upTo?: string;
  /** Only at these positions. */
  readonly positions?: readonly string[];
  readonly resourceType?: string;
  readonly resourceId?: string;
  /** Only with these members of metadata, their values as text. */
  readonly metadata?: { readonly [name: string]: string };
};
/** Where the page starts: at a cursor of one field, or after a number of rows (then the answer has a total). */
export type HistoryStart = { readonly cursor: Cursor | null } | { readonly offset: number };
export const historyCursor: CursorShape = ['bigint'];

const build = queryBuilder<{ history: Stored; history_terms: StoredRow<typeof historyTerms> }>();

/** An account's movements, newest first; `total` only where an offset was given. */
export async function historyOf(
  reader: Reader,
  filter: HistoryFilter,
  limit: number,
  start: HistoryStart,
): Promise<Page<HistoryEntry> & { readonly total?: number }> {
  let matching = build
    .selectFrom('history')
    .where('customer_id', '=', filter.customerId)
    .where('unit', '=', filter.unit);
  if (filter.types !== undefined)
    matching = matching.where('type', 'in', filter.types.length === 0 ? [''] : filter.types);
  if (filter.from !== undefined) matching = matching.where('at', '>=', filter.from);
  if (filter.to !== undefined) matching = matching.where('at', '<', filter.to);
  if (filter.upTo !== undefined) matching = matching.where('position', '<=', filter.upTo);
  if (filter.positions !== undefined)
    matching = matching.where(sql<boolean>`position = any(${arrayText(filter.positions)}::bigint[])`);
  for (const term of termsWanted(filter))
    matching = matching.where('position', 'in', (of) =>
      of
        .selectFrom('history_terms')
        .select('history_terms.position')
        .where('history_terms.customer_id', '=', filter.customerId)
        .where('history_terms.unit', '=', filter.unit)
        .where('history_terms.term', '=', term),
    );
  let page = matching
    .selectAll()
    .orderBy('position', 'desc')
    .limit(limit + 1);
  if ('offset' in start) page = page.offset(start.offset);
  else if (start.cursor !== null) page = page.where('position', '<', String(start.cursor[0]));
  const rows = await reader.rows(page);
  const data = pageOf(rows, limit, entryOf, ({ position }) => [position]);
  if (!('offset' in start)) return data;
  const [count] = await reader.rows(matching.select(({ fn }) => fn.countAll<string>().as('total')));
  return { ...data, total: Number(count?.total ?? 0) };
}

const termsWanted = ({ resourceType, resourceId, metadata = {} }: HistoryFilter): readonly string[] => [
  ...resourceTerms(resourceType, resourceId),
  ...Object.entries(metadata).map(([name, value]) => metadataTerm(name, value)),
];

/** Tables of version 1 are read until those of this version are built. */
type Stored = Omit<StoredRow<typeof history>, 'debt_change' | 'metadata' | 'transfer_id'> & {
  readonly debt_change: string | undefined;
  readonly metadata: string | null | undefined;
  readonly transfer_id: string | null | undefined;
};

function entryOf(row: Stored): HistoryEntry {
  return {
    id: row.event_id,
    type: row.type as HistoryType,
    at: row.at,
    amount: Number(row.amount),
    balanceAfter: Number(row.balance_after),
    debtChange: Number(row.debt_change ?? 0),
    ...(row.grant_id === null ? {} : { grantId: row.grant_id }),
    ...(row.consumption_id === null ? {} : { consumptionId: row.consumption_id }),
    ...(row.hold_id === null ? {} : { holdId: row.hold_id }),
    ...(row.reversal_id === null ? {} : { reversalId: row.reversal_id }),
    ...(row.adjustment_id === null ? {} : { adjustmentId: row.adjustment_id }),
    ...(row.transfer_id == null ? {} : { transferId: row.transfer_id }),
    ...(row.resource_type === null || row.resource_id === null
      ? {}
      : { resource: { type: row.resource_type, id: row.resource_id } }),
    ...(row.description === null ? {} : { description: row.description }),
    ...(row.metadata == null ? {} : { metadata: JSON.parse(row.metadata) as Json }),
    ...(row.payment_reference === null ? {} : { paymentReference: row.payment_reference }),
    actor: row.actor,
    eventId: row.event_id,
    position: toPosition(row.position),
  };
}
