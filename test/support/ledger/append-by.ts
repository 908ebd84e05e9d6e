import type pg from 'pg';
import type { AppendRequest } from '#event-store/port/event-store.js';

/**
 * Appends as another process does, through a session of the test's own and inside whatever transaction that has begun.
 * One statement an event.
 */
export async function appendBy(client: pg.Client, { stream, expectedRevision, events }: AppendRequest): Promise<void> {
  for (const [index, { id, type, schemaVersion, data, metadata, prevHash, hash }] of events.entries()) {
    await client.query(
      `select scrip_log.append_after(null, null, 1, array[$1], array[$9::int],
         array[row(1, $9 + 1, $2::int, $3::uuid, $1, $4, decode($5, 'hex'), decode($6, 'hex'), $7, $8)::scrip_log.new_event], false)`,
      [stream, schemaVersion, id, type, prevHash, hash, data, metadata, expectedRevision + index],
    );
  }
}
