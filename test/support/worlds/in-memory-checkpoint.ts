import { Checkpoint, CheckpointMoved } from '#consuming/checkpoint.js';
import { START, type Position } from '#event-store/port/event-store.js';

/** A checkpoint without a database. */
export class InMemoryCheckpoint extends Checkpoint {
  position: Position = START;

  override read(): Promise<Position> {
    return Promise.resolve(this.position);
  }

  override move(from: Position, to: Position): Promise<void> {
    if (from !== this.position) return Promise.reject(new CheckpointMoved('consumer in memory'));
    this.position = to;
    return Promise.resolve();
  }
}
