import pg from 'pg';
import type { Clock } from '#kernel/clock.js';
import type { Json } from '#kernel/json.js';
import type { StreamName } from '#kernel/stream-name.js';
import { StoreUnavailable } from '../event-store.js';
import { SnapshotStore, type Snapshot } from '../snapshots.js';
import { within } from './deadline.js';
import { migrateEventStore } from './postgres-schema.js';
import { sessionOptions } from './postgres-session.js';

const deadlineMs = 2_000;

const loadText =
  'select revision, hash, recorded_at, state from scrip_log.snapshots where stream = $1 and version = $2';
const saveText = `insert into scrip_log.snapshots as kept (stream, version, revision, hash, recorded_at, state)
  values ($1, $2, $3, $4, $5, $6)
  on conflict (stream) do update set version = excluded.version, revision = excluded.revision, hash = excluded.hash,
    recorded_at = excluded.recorded_at, state = excluded.state
  where (kept.version, kept.revision) < (excluded.version, excluded.revision)`;

type Row = { revision: number; hash: string; recorded_at: string; state: string };

/** Snapshots beside the log. They need not survive a crash, so saving does not wait for the disk. */
export class PostgresSnapshotStore extends SnapshotStore {
  readonly #pool: pg.Pool;

  constructor(
    url: string,
    private readonly clock: Clock,
  ) {
    super();
    this.#pool = new pg.Pool({
      connectionString: url,
      application_name: 'scrip-snapshots',
      max: 2,
      connectionTimeoutMillis: deadlineMs,
      keepAlive: true,
      allowExitOnIdle: true,
      options: `${sessionOptions(deadlineMs)} -c synchronous_commit=off`,
    });
    this.#pool.on('error', () => undefined); // a lost idle connection is replaced by the pool
  }

  /** Makes or updates the schema. */
  async migrate(): Promise<void> {
    await migrateEventStore(this.#pool);
  }

  override async load(stream: StreamName, version: number): Promise<Snapshot | null> {
    const [row] = await this.#query('load-snapshot', loadText, [stream, version]);
    if (row === undefined) return null;
    const state = JSON.parse(row.state) as Json;
    return { stream, version, revision: row.revision, head: { hash: row.hash, recordedAt: row.recorded_at }, state };
  }

  override async save({ stream, version, revision, head, state }: Snapshot): Promise<void> {
    await this.#query('save-snapshot', saveText, [
      stream,
      version,
      revision,
      head.hash,
      head.recordedAt,
      JSON.stringify(state),
    ]);
  }

  async #query(name: string, text: string, values: unknown[]): Promise<Row[]> {
    try {
      const client = await this.#pool.connect();
      try {
        const { rows } = await within(this.clock, deadlineMs, client.query<Row>({ name, text, values }));
        client.release();
        return rows;
      } catch (error) {
        client.release(true);
        throw error;
      }
    } catch (cause) {
      throw new StoreUnavailable('snapshots cannot be reached', { cause });
    }
  }
}
