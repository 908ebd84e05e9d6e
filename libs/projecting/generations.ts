import { START, type Position } from '#event-store/port/event-store.js';
import type { Projection } from './projection.js';
import { READER_ROLE, type Database, type Reader } from '../database/database.js';
import { SCHEMA, tableOf } from './schema.js';
import { tableDefinition, type Table } from './tables.js';

/**
 * The tables of a projection exist in generations, `balances_g3`; the views without a number show the live one. A rebuild
 * fills the next generation beside it and takes over in one transaction, so readers never see a hole.
 */
export type Generation = {
  readonly name: string;
  readonly generation: number;
  readonly version: number;
  readonly role: 'live' | 'building' | 'retired';
  readonly state: 'running' | 'halted';
  readonly position: Position;
  readonly haltedPosition: Position | null;
  readonly haltedReason: string | null;
  readonly rebuildRequested: boolean;
  readonly tables: readonly string[];
};

type Row = {
  name: string;
  generation: number;
  version: number;
  role: Generation['role'];
  state: Generation['state'];
  position: string;
  halted_position: string | null;
  halted_reason: string | null;
  rebuild_requested: boolean;
  tables: string[];
};

/** A bigint column's text as a Position. */
export const toPosition = (text: string): Position => text.padStart(19, '0');

const toGeneration = (row: Row): Generation => ({
  name: row.name,
  generation: row.generation,
  version: row.version,
  role: row.role,
  state: row.state,
  position: toPosition(row.position),
  haltedPosition: row.halted_position === null ? null : toPosition(row.halted_position),
  haltedReason: row.halted_reason,
  rebuildRequested: row.rebuild_requested,
  tables: row.tables,
});

/** Every generation there is, of all projections. */
export async function generationsOf(reader: Reader): Promise<readonly Generation[]> {
  const rows = await reader.query<Row>({
    name: 'generations',
    text: `select name, generation, version, role, state, position, halted_position, halted_reason, rebuild_requested, tables
      from ${SCHEMA}.projection_checkpoints order by name, generation`,
  });
  return rows.map(toGeneration);
}

/** Lets one process at a time make and remove the generations of a projection, until the transaction ends. */
async function lock(transaction: Reader, name: string): Promise<void> {
  await transaction.query({
    text: 'select pg_advisory_xact_lock(hashtextextended($1, 0))',
    values: [`${SCHEMA}/generations/${name}`],
  });
}

function createTable(table: Table, generation: number): string {
  const full = tableOf(table.name, generation);
  const indexes = (table.indexes ?? []).map((index) => `create index on ${full} ${index};`);
  const policy =
    table.visibleTo === 'own-rows'
      ? `alter table ${full} enable row level security;
         create policy own_rows on ${full} for select to ${READER_ROLE} using (customer_id = current_setting('scrip.customer_id', true));`
      : '';
  const grant = table.visibleTo === 'operators' ? '' : `grant select on ${full} to ${READER_ROLE};`;
  return `create table ${full} ${tableDefinition(table)}; ${indexes.join(' ')} ${policy} ${grant}`;
}

function createViews(tables: readonly Table[], generation: number): string {
  return tables
    .map(({ name, visibleTo }) => {
      const view = `${SCHEMA}.${name}`;
      const grant = visibleTo === 'operators' ? '' : `grant select on ${view} to ${READER_ROLE};`;
      // A new view instead of a replaced one: its columns may differ. Prepared statements find it by its name.
      return `drop view if exists ${view}; create view ${view} with (security_invoker = true) as select * from ${tableOf(name, generation)}; ${grant}`;
    })
    .join(' ');
}

async function insertGeneration<Event>(
  transaction: Reader,
  projection: Projection<Event>,
  generation: number,
  role: 'live' | 'building',
): Promise<void> {
  await transaction.query({
    text: `insert into ${SCHEMA}.projection_checkpoints (name, generation, version, role, state, position, tables)
      values ($1, $2, $3, $4, 'running', $5, $6)`,
    values: [projection.name, generation, projection.version, role, START, projection.tables.map(({ name }) => name)],
  });
}

/** Makes the empty first generation of each projection that has none. Safe at once from several processes. */
export async function ensureProjections<Event>(db: Database, projections: readonly Projection<Event>[]): Promise<void> {
  const known = new Set((await generationsOf(db)).map(({ name }) => name));
  for (const projection of projections) {
    if (known.has(projection.name)) continue;
    await db.transaction(async (transaction) => {
      await lock(transaction, projection.name);
      if ((await generationsOf(transaction)).some(({ name }) => name === projection.name)) return;
      await transaction.query({ text: projection.tables.map((table) => createTable(table, 1)).join(' ') });
      await transaction.query({ text: createViews(projection.tables, 1) });
      await insertGeneration(transaction, projection, 1, 'live');
    });
  }
}

/**
 * Starts a new generation beside the live one, if one is wanted and none is being built; takes an unfinished one of older
 * code away first.
 */
export async function startBuilding<Event>(db: Database, projection: Projection<Event>): Promise<void> {
  await db.transaction(async (transaction) => {
    await lock(transaction, projection.name);
    const all = (await generationsOf(transaction)).filter(({ name }) => name === projection.name);
    if (!wantsBuilding(all, projection.version)) return;
    const unfinished = all.find(({ role }) => role === 'building');
    if (unfinished !== undefined) await dropGeneration(transaction, unfinished);
    const next = Math.max(...all.map(({ generation }) => generation)) + 1;
    await transaction.query({ text: projection.tables.map((table) => createTable(table, next)).join(' ') });
    await insertGeneration(transaction, projection, next, 'building');
  });
}

/** Whether a projection's code of `version` should start building a generation beside these. */
export function wantsBuilding(generations: readonly Generation[], version: number): boolean {
  const live = generations.find(({ role }) => role === 'live');
  if (live === undefined || live.version > version) return false;
  const building = generations.find(({ role }) => role === 'building');
  if (building !== undefined) return building.version < version;
  return live.version < version || live.rebuildRequested;
}

/** Inside a transaction that holds both checkpoint rows: `building` is what readers see from its commit on. */
export async function switchTo<Event>(
  transaction: Reader,
  projection: Projection<Event>,
  live: Generation,
  building: Generation,
): Promise<void> {
  const gone = live.tables.filter((name) => !building.tables.includes(name));
  const dropped = gone.map((name) => `drop view if exists ${SCHEMA}.${name};`).join(' ');
  // The first becomes retired before the second becomes live: there is one live generation at any time.
  await transaction.query({
    text: `update ${SCHEMA}.projection_checkpoints set role = 'retired', rebuild_requested = false
      where name = $1 and generation = $2`,
    values: [projection.name, live.generation],
  });
  await transaction.query({
    text: `update ${SCHEMA}.projection_checkpoints set role = 'live' where name = $1 and generation = $2`,
    values: [projection.name, building.generation],
  });
  await transaction.query({
    text: `set local lock_timeout = '2s'; ${dropped} ${createViews(projection.tables, building.generation)}`,
  });
}

async function dropGeneration(transaction: Reader, { name, generation, tables }: Generation): Promise<void> {
  const drops = tables.map((table) => `drop table if exists ${tableOf(table, generation)};`).join(' ');
  await transaction.query({ text: `set local lock_timeout = '2s'; ${drops}` });
  await transaction.query({
    text: `delete from ${SCHEMA}.projection_checkpoints where name = $1 and generation = $2`,
    values: [name, generation],
  });
}

/** Removes a generation that readers have left. Readers still at it are waited for, briefly; then it is left for later. */
export async function dropRetired(db: Database, generation: Generation): Promise<void> {
  await db.transaction(async (transaction) => {
    await lock(transaction, generation.name);
    await dropGeneration(transaction, generation);
  });
}

/** Asks the workers to rebuild the projection. False when there is no projection of that name. */
export async function requestRebuild(reader: Reader, name: string): Promise<boolean> {
  const rows = await reader.query({
    text: `update ${SCHEMA}.projection_checkpoints set rebuild_requested = true where name = $1 and role = 'live' returning name`,
    values: [name],
  });
  return rows.length > 0;
}

/** Asks the workers to try a halted projection again. `running` when it is not halted, null when none has that name. */
export async function resumeProjection(reader: Reader, name: string): Promise<'resumed' | 'running' | null> {
  const resumed = await reader.query({
    text: `update ${SCHEMA}.projection_checkpoints set state = 'running', halted_position = null, halted_reason = null
      where name = $1 and state = 'halted' returning name`,
    values: [name],
  });
  if (resumed.length > 0) return 'resumed';
  const known = await reader.query({
    text: `select name from ${SCHEMA}.projection_checkpoints where name = $1`,
    values: [name],
  });
  return known.length > 0 ? 'running' : null;
}
