import { Checkpoint, CheckpointMoved } from '#consuming/checkpoint.js';
import type { Database, Reader } from '#database/database.js';
import type { Position } from '#event-store/port/event-store.js';
import { SCHEMA } from './schema.js';

/** What follows the log and keeps its place among the records. */
export type ConsumerName = 'inbox' | 'settler' | 'transfers';

/** How far a consumer has come. */
export async function readCheckpoint(reader: Reader, consumer: ConsumerName): Promise<Position> {
  const [row] = await reader.query<{ position: Position }>({
    name: 'checkpoint',
    text: `select position from ${SCHEMA}.consumer_checkpoints where consumer = $1`,
    values: [consumer],
  });
  if (row === undefined) throw new Error(`${SCHEMA} has no checkpoint of the ${consumer}: run \`scrip migrate\``);
  return row.position;
}

/** Moves a consumer's checkpoint. Throws CheckpointMoved when it is not at `from`. */
export async function moveCheckpoint(
  writer: Reader,
  consumer: ConsumerName,
  from: Position,
  to: Position,
): Promise<void> {
  const moved = await writer.query({
    name: 'checkpoint-move',
    text: `update ${SCHEMA}.consumer_checkpoints set position = $3
      where consumer = $1 and position = $2 returning position`,
    values: [consumer, from, to],
  });
  if (moved.length === 0) throw new CheckpointMoved(consumer);
}

/** A consumer's checkpoint in PostgreSQL, in `consumer_checkpoints` of schema `scrip_app`. */
export class PostgresCheckpoint extends Checkpoint {
  constructor(
    private readonly database: Database,
    private readonly consumer: ConsumerName,
  ) {
    super();
  }

  override read(): Promise<Position> {
    return readCheckpoint(this.database, this.consumer);
  }

  override async move(from: Position, to: Position): Promise<void> {
    // A crash of the server may lose it; then the events since are acted upon again, which changes nothing.
    await this.database.transaction((transaction) => moveCheckpoint(transaction, this.consumer, from, to), {
      settings: { synchronous_commit: 'off' },
    });
  }
}
