import type pg from 'pg';
import type { AppendRequest } from '#event-store/event-store.js';

/** Appends new streams through a session of the test's own, inside whatever transaction that has begun. */
export async function appendBy(client: pg.Client, { stream, events }: AppendRequest): Promise<void> {
  for (const { id, type, schemaVersion, data, metadata, prevHash, hash } of events) {
    await client.query(
      `select scrip_log.append(array[$1], array[-1],
         array[row(1, 0, $2::int, $3::uuid, $1, $4, decode($5, 'hex'), decode($6, 'hex'), $7, $8)::scrip_log.new_event], false)`,
      [stream, schemaVersion, id, type, prevHash, hash, data, metadata],
    );
  }
}
