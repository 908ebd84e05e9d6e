import type { Clock } from '#kernel/clock.js';
import type { Json } from '#kernel/json.js';
import type { StreamName } from '#kernel/stream-name.js';
import { SnapshotStore, type Snapshot } from '../snapshots.js';
import { migrateEventStore } from './postgres-schema.js';
import { PostgresSessions } from './postgres-session.js';

const limits = { connections: 2, deadlineMs: 2_000, connectMs: 2_000 };

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
  readonly #sessions: PostgresSessions;

  constructor(url: string, clock: Clock) {
    super();
    this.#sessions = new PostgresSessions(url, clock, limits, {
      name: 'scrip-snapshots',
      options: '-c synchronous_commit=off',
    });
  }

  /** Makes or updates the schema. */
  async migrate(): Promise<void> {
    await migrateEventStore(this.#sessions.pool);
  }

  override async load(stream: StreamName, version: number): Promise<Snapshot | null> {
    const [row] = await this.#sessions.query<Row>({ name: 'load-snapshot', text: loadText, values: [stream, version] });
    if (row === undefined) return null;
    const state = JSON.parse(row.state) as Json;
    return { stream, version, revision: row.revision, head: { hash: row.hash, recordedAt: row.recorded_at }, state };
  }

  override async save({ stream, version, revision, head, state }: Snapshot): Promise<void> {
    const values = [stream, version, revision, head.hash, head.recordedAt, JSON.stringify(state)];
    await this.#sessions.query({ name: 'save-snapshot', text: saveText, values });
  }

  /** Ends the connections. Idle ones keep no process alive. */
  async close(): Promise<void> {
    await this.#sessions.close();
  }
}
