import type pg from 'pg';
import { StoreUnavailable } from '../port/event-store.js';

/**
 * The log's tables, one entry a version; entries that have been released never change.
 * Every position from 1 to the newest is taken: one append function assigns them under one lock.
 */
const versions: readonly string[] = [
  `
  create table scrip_log.events (
    position bigint primary key,
    revision integer not null check (revision >= 0),
    schema_version integer not null,
    id uuid not null,
    stream text collate "C" not null,
    type text collate "C" not null,
    prev_hash bytea not null,
    hash bytea not null,
    data text not null,
    metadata text not null
  );
  create unique index events_by_stream on scrip_log.events (stream, revision);
  create unique index events_by_id on scrip_log.events (id);

  create table scrip_log.snapshots (
    stream text collate "C" primary key,
    version integer not null,
    revision integer not null,
    hash text not null,
    recorded_at text not null,
    state text not null
  );

  create type scrip_log.new_event as (
    append integer,
    revision integer,
    schema_version integer,
    id uuid,
    stream text,
    type text,
    prev_hash bytea,
    hash bytea,
    data text,
    metadata text
  );

  -- Appends to streams[i] at expected[i] the events whose "append" is i. Those whose stream stands elsewhere, and with
  -- check_ids those with a known id, come back in "rejected"; the others are stored at head + 1, head + 2, …
  create function scrip_log.append(
    streams text[], expected integer[], new_events scrip_log.new_event[], check_ids boolean, out head bigint, out rejected integer[]
  ) language plpgsql as $$
  begin
    perform pg_advisory_xact_lock(${lockKey('append')});
    select coalesce(max(e.position), 0) into head from scrip_log.events e;
    select coalesce(array_agg(a.i), '{}') into rejected
      from unnest(streams, expected) with ordinality a (stream, revision, i)
     where a.revision is distinct from coalesce(
       (select e.revision from scrip_log.events e where e.stream = a.stream order by e.revision desc limit 1), -1);
    if check_ids then
      rejected := rejected || array(select n.append from unnest(new_events) n join scrip_log.events e on e.id = n.id);
    end if;
    if cardinality(rejected) > 0 then
      new_events := array(
        select row(n.append, n.revision, n.schema_version, n.id, n.stream, n.type, n.prev_hash, n.hash, n.data, n.metadata)::scrip_log.new_event
          from unnest(new_events) with ordinality n (append, revision, schema_version, id, stream, type, prev_hash, hash, data, metadata, i)
         where n.append <> all (rejected) order by n.i);
    end if;
    insert into scrip_log.events (position, revision, schema_version, id, stream, type, prev_hash, hash, data, metadata)
      select head + n.i, n.revision, n.schema_version, n.id, n.stream, n.type, n.prev_hash, n.hash, n.data, n.metadata
        from unnest(new_events) with ordinality n (append, revision, schema_version, id, stream, type, prev_hash, hash, data, metadata, i);
  end $$;
  `,
  // The same, but the newest revision is looked for from the expected one on: without that bound, all of the stream that is on its
  // page of the index is read first. And ids are looked up one by one, whatever the table's size was when that was planned.
  `
  create or replace function scrip_log.append(
    streams text[], expected integer[], new_events scrip_log.new_event[], check_ids boolean, out head bigint, out rejected integer[]
  ) language plpgsql as $$
  begin
    perform pg_advisory_xact_lock(${lockKey('append')});
    select coalesce(max(e.position), 0) into head from scrip_log.events e;
    select coalesce(array_agg(a.i), '{}') into rejected
      from unnest(streams, expected) with ordinality a (stream, revision, i)
     where a.revision is distinct from coalesce(
       (select e.revision from scrip_log.events e where e.stream = a.stream and e.revision >= a.revision
         order by e.revision desc limit 1), -1);
    if check_ids then
      rejected := rejected || array(
        select n.append from unnest(new_events) n where (select e.id from scrip_log.events e where e.id = n.id) is not null);
    end if;
    if cardinality(rejected) > 0 then
      new_events := array(
        select row(n.append, n.revision, n.schema_version, n.id, n.stream, n.type, n.prev_hash, n.hash, n.data, n.metadata)::scrip_log.new_event
          from unnest(new_events) with ordinality n (append, revision, schema_version, id, stream, type, prev_hash, hash, data, metadata, i)
         where n.append <> all (rejected) order by n.i);
    end if;
    insert into scrip_log.events (position, revision, schema_version, id, stream, type, prev_hash, hash, data, metadata)
      select head + n.i, n.revision, n.schema_version, n.id, n.stream, n.type, n.prev_hash, n.hash, n.data, n.metadata
        from unnest(new_events) with ordinality n (append, revision, schema_version, id, stream, type, prev_hash, hash, data, metadata, i);
  end $$;
  `,
  // Appends as before, for a process that knows where all streams but the first "unsure" ones stood when the event at
  // "end_position" with "end_hash" was the newest of the log. If it is still, only those first ones are looked up. Should another
  // have been written all the same, the index refuses its taken revision; and none can be shorter: nothing leaves the log.
  `
  create function scrip_log.append_after(
    end_position bigint, end_hash bytea, unsure integer,
    streams text[], expected integer[], new_events scrip_log.new_event[], check_ids boolean, out head bigint, out rejected integer[]
  ) language plpgsql as $$
  declare
    newest bytea;
  begin
    perform pg_advisory_xact_lock(${lockKey('append')});
    select e.position, e.hash into head, newest from scrip_log.events e order by e.position desc limit 1;
    if head = end_position and newest = end_hash then
      streams := streams[:unsure];
      expected := expected[:unsure];
    end if;
    head := coalesce(head, 0);
    rejected := '{}';
    if cardinality(streams) > 0 then
      select coalesce(array_agg(a.i), '{}') into rejected
        from unnest(streams, expected) with ordinality a (stream, revision, i)
       where a.revision is distinct from coalesce(
         (select e.revision from scrip_log.events e where e.stream = a.stream and e.revision >= a.revision
           order by e.revision desc limit 1), -1);
    end if;
    if check_ids then
      rejected := rejected || array(
        select n.append from unnest(new_events) n where (select e.id from scrip_log.events e where e.id = n.id) is not null);
    end if;
    if cardinality(rejected) > 0 then
      new_events := array(
        select row(n.append, n.revision, n.schema_version, n.id, n.stream, n.type, n.prev_hash, n.hash, n.data, n.metadata)::scrip_log.new_event
          from unnest(new_events) with ordinality n (append, revision, schema_version, id, stream, type, prev_hash, hash, data, metadata, i)
         where n.append <> all (rejected) order by n.i);
    end if;
    insert into scrip_log.events (position, revision, schema_version, id, stream, type, prev_hash, hash, data, metadata)
      select head + n.i, n.revision, n.schema_version, n.id, n.stream, n.type, n.prev_hash, n.hash, n.data, n.metadata
        from unnest(new_events) with ordinality n (append, revision, schema_version, id, stream, type, prev_hash, hash, data, metadata, i);
  end $$;
  `,
  // Snapshots of the past beside the newest. What is there is left behind: snapshots are only a help.
  `
  drop table scrip_log.snapshots;
  create table scrip_log.snapshots (
    stream text collate "C",
    version integer,
    revision integer,
    position text collate "C" not null,
    hash text not null,
    recorded_at text collate "C" not null,
    state text not null,
    primary key (stream, version, revision)
  );
  `,
];

/** Advisory locks are shared by the whole database: ours have a first number of their own. */
function lockKey(purpose: 'append' | 'migrate'): string {
  return `1396920656, ${purpose === 'append' ? 1 : 2}`; // 'SCRP' in ASCII
}

/**
 * Brings schema `scrip_log` to the newest version. Safe to repeat, and when several processes start at once. Throws
 * StoreUnavailable when PostgreSQL cannot be reached or does not let us in.
 */
export async function migrateEventStore(pool: pg.Pool): Promise<void> {
  const client = await pool.connect().catch((cause: unknown) => {
    // Only the code: a message may hold the address, and that of several addresses tried is empty.
    const code = cause instanceof Error && 'code' in cause ? ` (${String(cause.code)})` : '';
    throw new StoreUnavailable(`the database cannot be reached${code}`, { cause });
  });
  try {
    await client.query('begin');
    await client.query(`select pg_advisory_xact_lock(${lockKey('migrate')})`);
    await client.query('create schema if not exists scrip_log');
    await client.query('create table if not exists scrip_log.schema_versions (version integer primary key)');
    const found = await client.query<{ version: number }>(
      'select coalesce(max(version), 0) as version from scrip_log.schema_versions',
    );
    const current = found.rows[0]?.version ?? 0;
    for (const [index, statements] of versions.entries()) {
      if (index < current) continue;
      await client.query(statements);
      await client.query('insert into scrip_log.schema_versions values ($1)', [index + 1]);
    }
    await client.query('commit');
    client.release();
  } catch (error) {
    client.release(true);
    throw error;
  }
}
