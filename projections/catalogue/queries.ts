import type { CreditEvent, CreditProduct, Plan } from '#ledger/catalog.js';
import { pageOf, type Cursor, type CursorShape, type Page } from '#database/page.js';
import type { Reader } from '#database/database.js';
import { queryBuilder } from '#projecting/query-builder.js';
import type { StoredRow } from '#projecting/tables.js';
import type { catalogue, CatalogueKind } from './catalogue.js';

export const catalogueCursor: CursorShape = ['text'];

type Stored = StoredRow<typeof catalogue>;
const build = queryBuilder<{ catalogue: Stored }>();

type Listed = { readonly active: boolean };
export type ListedPlan = Plan & Listed;
export type ListedItem = (Plan | CreditProduct | CreditEvent) & Listed;

const itemOf = ({ item, active }: Pick<Stored, 'item' | 'active'>): ListedItem => ({
  ...(JSON.parse(item) as Plan | CreditProduct | CreditEvent),
  active,
});

/** All plans there are or were, by id; those that are not on sale any more with `active: false`. */
export async function plansOf(reader: Reader): Promise<readonly ListedPlan[]> {
  const rows = await reader.rows(build.selectFrom('catalogue').selectAll().where('kind', '=', 'plan').orderBy('id'));
  return rows.map((row) => itemOf(row) as ListedPlan);
}

/** What of one kind is on sale, by id. `cursor`: of one field. */
export async function onSaleOf(
  reader: Reader,
  kind: CatalogueKind,
  limit: number,
  cursor: Cursor | null,
): Promise<Page<ListedItem>> {
  let query = build
    .selectFrom('catalogue')
    .selectAll()
    .where('kind', '=', kind)
    .where('active', '=', true)
    .orderBy('id')
    .limit(limit + 1);
  if (cursor !== null) query = query.where('id', '>', String(cursor[0]));
  return pageOf(await reader.rows(query), limit, itemOf, ({ id }) => [id]);
}
