import type { Position } from '#event-store/port/event-store.js';

/** Another process has moved the checkpoint: what this one was about to remember is out of date. */
export class CheckpointMoved extends Error {
  override readonly name = 'CheckpointMoved';

  constructor(consumer: string) {
    super(`another process has moved the checkpoint of the ${consumer}`);
  }
}

/** How far a consumer has come that remembers nothing else. */
export abstract class Checkpoint {
  /** START before the first move. */
  abstract read(): Promise<Position>;
  /** Throws CheckpointMoved when it is not at `from`. */
  abstract move(from: Position, to: Position): Promise<void>;
}
