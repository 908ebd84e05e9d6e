import type { Clock } from '#kernel/clock.js';
import type { Json } from '#kernel/json.js';
import type { StreamName } from '#kernel/stream-name.js';
import { SnapshotStore, type Snapshot, type SnapshotBound } from '../port/snapshots.js';
import { migrateEventStore } from './schema.js';
import { PostgresSessions } from './session.js';

const limits = { connections: 2, deadlineMs: 2_000, connectMs: 2_000 };

const loadText = `select revision, position, hash, recorded_at, state from scrip_log.snapshots
  where stream = $1 and version = $2 and recorded_at <= $3 and position <= $4 and revision <= $5::bigint
  order by revision desc limit 1`;
const saveText = `with older as (delete from scrip_log.snapshots where stream = $1 and version < $2)
  insert into scrip_log.snapshots (stream, version, revision, position, hash, recorded_at, state)
  select $1, $2, $3, $4, $5, $6, $7
   where not exists (select from scrip_log.snapshots where stream = $1 and version > $2)
  on conflict (stream, version, revision) do update
    set position = excluded.position, hash = excluded.hash, recorded_at = excluded.recorded_at, state = excluded.state`;
/** What no event is after. */
const last = { recordedAt: '~', position: '~', revision: Number.MAX_SAFE_INTEGER };

type Row = { revision: number; position: string; hash: string; recorded_at: string; state: string };

/** Snapshots beside the log. They need not survive a crash, so saving does not wait for the disk. */
export class PostgresSnapshotStore extends SnapshotStore {
  readonly #sessions: PostgresSessions;

  constructor(
    private readonly url: string,
    clock: Clock,
  ) {
    super();
    this.#sessions = new PostgresSessions(url, clock, limits, {
      name: 'scrip-snapshots',
      options: '-c synchronous_commit=off',
    });
  }

  /** Makes or updates the schema. */
  async migrate(): Promise<void> {
    await migrateEventStore(this.url);
    await this.#sessions.prove();
  }

  override async load(stream: StreamName, version: number, bound: SnapshotBound = {}): Promise<Snapshot | null> {
    const { recordedAt, position, revision } = { ...last, ...bound };
    const values = [stream, version, recordedAt, position, revision];
    const [row] = await this.#sessions.query<Row>({ name: 'load-snapshot', text: loadText, values });
    if (row === undefined) return null;
    const state = JSON.parse(row.state) as Json;
    const head = { hash: row.hash, recordedAt: row.recorded_at, position: row.position };
    return { stream, version, revision: row.revision, head, state };
  }

  override async save({ stream, version, revision, head, state }: Snapshot): Promise<void> {
    const values = [stream, version, revision, head.position, head.hash, head.recordedAt, JSON.stringify(state)];
    await this.#sessions.query({ name: 'save-snapshot', text: saveText, values });
  }

  /** Ends the connections. Idle ones keep no process alive. */
  async close(): Promise<void> {
    await this.#sessions.close();
  }
}
