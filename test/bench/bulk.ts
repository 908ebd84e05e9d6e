import pg from 'pg';
import type { NodeProcess } from '../support/processes/node-process.js';
import type { Bench, Figure } from './bench.js';
import { grantAll } from './consume.js';
import { median } from './histogram.js';
import type { JobResult } from './load/job.js';

const customers = 10_000;
const commands = 500;
const connections = 8;

/** `POST /v1/commands` with 500 consumptions a request, against bare multi-row inserts of the same bytes. */
export async function consumeBulk(bench: Bench): Promise<readonly Figure[]> {
  const url = await bench.scripDatabase();
  const server = await bench.api(url);
  const rounds: { scrip: number; raw: number; result: JobResult }[] = [];
  for (let round = 0; round < bench.effort.rounds; round += 1) {
    const customerPrefix = `bulk${String(round)}-`;
    await grantAll(server, customerPrefix, customers, 1_000_000_000);
    const requests = { kind: 'bulk' as const, customerPrefix, customers, keyPrefix: customerPrefix, commands };
    const result = await bench.run(server, { requests, connections, loop: { kind: 'closed' } });
    rounds.push({ scrip: result.perSecond * commands, raw: await rawInserts(url, bench.effort.seconds), result });
  }
  await server.stop();
  const [scrip, raw] = [median(rounds.map((round) => round.scrip)), median(rounds.map((round) => round.raw))];
  const detail = {
    raw,
    rounds: rounds.map(({ scrip, raw, result: { latency, statuses, generatorCpu } }) => ({
      scrip,
      raw,
      latency,
      statuses,
      generatorCpu,
    })),
  };
  return [
    { name: 'consume-bulk', value: scrip, unit: 'acknowledged/s', bar: { atLeast: 40_000 }, detail },
    {
      name: 'consume-bulk to raw',
      value: scrip / raw,
      unit: '× raw multi-row inserts',
      bar: { atLeast: 0.5 },
      detail: {},
    },
  ];
}

/** Rows a second when the newest events of the log are written again, 500 a statement, to a table with the same columns and indexes. */
async function rawInserts(url: string, seconds: number): Promise<number> {
  const pool = new pg.Pool({ connectionString: url, max: 4 });
  await pool.query('drop table if exists raw_events; create table raw_events (like scrip_log.events including all)');
  const { rows } = await pool.query<Record<string, unknown>>(
    `select revision, schema_version, type, stream, prev_hash, hash, data, metadata from scrip_log.events order by position desc limit ${String(commands)}`,
  );
  const column = (name: string): unknown[] => rows.map((row) => row[name]);
  const text = `insert into raw_events (position, revision, schema_version, id, stream, type, prev_hash, hash, data, metadata)
    select $1::bigint + n, $1::int + n, schema_version, gen_random_uuid(), stream, type, prev_hash, hash, data, metadata
    from unnest($2::int[], $3::text[], $4::text[], $5::bytea[], $6::bytea[], $7::text[], $8::text[])
      with ordinality as e (schema_version, stream, type, prev_hash, hash, data, metadata, n)`;
  const values = ['schema_version', 'stream', 'type', 'prev_hash', 'hash', 'data', 'metadata'].map(column);
  let statements = 0;
  const begin = performance.now();
  const writer = async (): Promise<void> => {
    while (performance.now() - begin < seconds * 1000) {
      statements += 1;
      await pool.query({ name: 'raw', text, values: [(statements - 1) * commands, ...values] });
    }
  };
  await Promise.all(Array.from({ length: 4 }, writer));
  const perSecond = (statements * commands) / ((performance.now() - begin) / 1000);
  await pool.query('drop table raw_events');
  await pool.end();
  return perSecond;
}

/** Fills the log with at least `events` consumptions of `customers` accounts, as bulk commands. */
export async function fill(bench: Bench, server: NodeProcess, customerPrefix: string, events: number): Promise<void> {
  await grantAll(server, customerPrefix, customers, 1_000_000_000);
  const requests = { kind: 'bulk' as const, customerPrefix, customers, keyPrefix: customerPrefix, commands };
  await bench.run(server, {
    requests,
    connections,
    loop: { kind: 'closed' },
    warmUpSeconds: 0,
    seconds: 3_600,
    atMost: Math.ceil(events / commands),
  });
}
