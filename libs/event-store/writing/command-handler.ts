import type { Decider, Refused, TypedEvent } from '#kernel/decider.js';
import type { StreamName } from '#kernel/stream-name.js';
import { BatchWriter, type Begun, type Item, type WriterParts } from './batch-writer.js';
import type { CommandOutcome, CommandPreview, CommandRequest } from './command.js';
import type { Position } from '../port/event-store.js';
import type { WriteLimits, WriteStatistics } from './limits.js';

type Lane<Command, Event, State, Refusal extends Refused> = {
  readonly stream: StreamName;
  readonly queue: Item<Command, Event, State, Refusal>[];
  /** Called when the batch under way is done. */
  readonly whenDone: (() => void)[];
};

/**
 * The one write path of a stream category. Commands of one stream queue in a lane; while one append is under way the next
 * commands gather, then they are decided together against the folded state and appended as one write.
 */
export class CommandHandler<Command, Event extends TypedEvent, State, Refusal extends Refused> {
  readonly statistics: WriteStatistics;
  readonly #limits: WriteLimits;
  readonly #writer: BatchWriter<Command, Event, State, Refusal>;
  readonly #lanes = new Map<StreamName, Lane<Command, Event, State, Refusal>>();
  /** Lanes whose first batch is still being gathered. */
  #ready: Lane<Command, Event, State, Refusal>[] = [];
  #idle: (() => void)[] = [];

  constructor(decider: Decider<Command, Event, State, Refusal>, parts: WriterParts<Event>) {
    this.#writer = new BatchWriter(decider, parts);
    this.#limits = this.#writer.limits;
    this.statistics = this.#writer.statistics;
  }

  /**
   * Runs one command: exactly once per key, for ever. Resolves with how it ended; rejects only for a bug or a log that
   * contradicts itself. Commands of one stream run in the order of the calls.
   */
  execute(request: CommandRequest<Command>): Promise<CommandOutcome<Event, State, Refusal>> {
    let lane = this.#lanes.get(request.stream);
    if (
      this.statistics.waiting >= this.#limits.waiting ||
      (lane !== undefined && lane.queue.length >= this.#limits.laneLength)
    ) {
      return Promise.resolve({ kind: 'overloaded' });
    }
    this.statistics.waiting += 1;
    return new Promise((resolve, reject) => {
      const item = { request, resolve, reject };
      if (lane !== undefined) {
        lane.queue.push(item);
        return;
      }
      lane = { stream: request.stream, queue: [item], whenDone: [] };
      this.#lanes.set(request.stream, lane);
      // What is called in the same turn belongs to the same batch.
      if (this.#ready.push(lane) === 1) void this.#startReady();
    });
  }

  /**
   * Decides a command on what the store has now and records nothing, so that its key stays free. A key that was used before is answered
   * as `execute` would. Rejects only for a bug or a log that contradicts itself.
   */
  preview(request: CommandRequest<Command>): Promise<CommandPreview<Event, State, Refusal>> {
    return this.#writer.preview(request);
  }

  /** The stream's state as the store has it now, and its newest event. For reading: the state belongs to the caller. */
  load(stream: StreamName): Promise<{ readonly state: State; readonly revision: number; readonly position: Position }> {
    return this.#writer.load(stream);
  }

  /** Resolves when everything that was decided for the stream by now is stored, or will never be. */
  async settled(stream: StreamName): Promise<void> {
    const lane = this.#lanes.get(stream);
    if (lane !== undefined) await new Promise<void>((resolve) => lane.whenDone.push(resolve));
  }

  /** Resolves when no command is waiting or under way. */
  async drain(): Promise<void> {
    if (this.#lanes.size === 0) return;
    await new Promise<void>((resolve) => this.#idle.push(resolve));
  }

  async #startReady(): Promise<void> {
    await Promise.resolve();
    for (const lane of this.#ready.splice(0)) this.#next(lane);
  }

  /**
   * Takes a lane's next batch. The common case costs one promise: the state is in memory and every command records something,
   * so the batch is decided at once, and its append proves that the state was the newest.
   */
  #next(lane: Lane<Command, Event, State, Refusal>): void {
    if (lane.queue.length === 0) {
      this.#lanes.delete(lane.stream);
      if (this.#lanes.size === 0) for (const resolve of this.#idle.splice(0)) resolve();
      return;
    }
    const batch = lane.queue.splice(0, this.#limits.batchCommands);
    const begun = this.#writer.begin(lane.stream, batch);
    if (begun === null) {
      void this.#work(lane, batch, null);
      return;
    }
    begun.append.then(
      (result) => {
        if (result.kind === 'appended') this.#appended(lane, batch, begun, result.position);
        else void this.#work(lane, batch, begun);
      },
      () => this.#work(lane, batch, begun),
    );
  }

  #appended(
    lane: Lane<Command, Event, State, Refusal>,
    batch: readonly Item<Command, Event, State, Refusal>[],
    begun: Begun<Event, State, Refusal>,
    position: Position,
  ): void {
    let taken = batch.length;
    try {
      taken = this.#writer.complete(lane.stream, batch, begun, position);
    } catch (error) {
      this.#writer.fail(lane.stream, batch, error);
    }
    this.#done(lane, batch, taken);
  }

  /** Carries a batch out, whatever it takes. */
  async #work(
    lane: Lane<Command, Event, State, Refusal>,
    batch: readonly Item<Command, Event, State, Refusal>[],
    begun: Begun<Event, State, Refusal> | null,
  ): Promise<void> {
    let taken = batch.length;
    try {
      taken = await this.#writer.run(lane.stream, batch, begun);
    } catch (error) {
      this.#writer.fail(lane.stream, batch, error);
    }
    this.#done(lane, batch, taken);
  }

  #done(
    lane: Lane<Command, Event, State, Refusal>,
    batch: readonly Item<Command, Event, State, Refusal>[],
    taken: number,
  ): void {
    this.statistics.waiting -= taken;
    for (const resolve of lane.whenDone.splice(0)) resolve();
    if (taken < batch.length) lane.queue.unshift(...batch.slice(taken));
    this.#next(lane);
  }
}
