import { Injectable } from '@nestjs/common';
import { START, type Position } from '#event-store/port/event-store.js';
import { Clock } from '#kernel/clock.js';
import { instantOf, type Instant } from '#kernel/instant.js';
import { asCustomer } from '#database/as-customer.js';
import { generationsOf } from '#projecting/generations.js';
import { Database, type Reader } from '#database/database.js';
import { waitForPosition } from '#projecting/wait-for-position.js';
import { Problem } from '../http/problem.js';

/** How fresh an answer is: it includes everything up to `position`, and time's effects up to `time`. */
export type AsOf = { readonly position: Position; readonly time: Instant };

/** Who reads and how fresh it must be. */
export type ReadRequest = {
  /** Set for people: the database then shows rows of this customer only. */
  readonly ownCustomerId: string | null;
  readonly minPosition: Position | null;
  readonly waitMs: number;
};

export type Fresh<Result> = { readonly result: Result; readonly asOf: AsOf };

const cacheMs = 20;

/** Runs queries of read models: waits until they are fresh enough, under the caller's rights, and says how fresh they are. */
@Injectable()
export class FreshReads {
  #positions: ReadonlyMap<string, Position> = new Map();
  #readAt = -Infinity;
  #reading: Promise<void> | null = null;

  constructor(
    private readonly database: Database,
    private readonly clock: Clock,
  ) {}

  /** Waits until the read model is as fresh as was asked. Ends the request when it is not in time. */
  async reached(request: ReadRequest, projection: string): Promise<void> {
    const { minPosition, waitMs } = request;
    if (minPosition === null || minPosition <= this.#known(projection)) return;
    const outcome = await waitForPosition(this.database, projection, minPosition, waitMs);
    if (outcome === 'behind') throw new Problem('projection_behind');
  }

  /** @param read gets the reader to use, the instant that its answer is for, and the position that the answer names. */
  async read<Result>(
    request: ReadRequest,
    projection: string,
    read: (reader: Reader, now: Instant, position: Position) => Promise<Result>,
  ): Promise<Fresh<Result>> {
    await this.reached(request, projection);
    // Looked up before the rows are read, so they include at least this position.
    const position = await this.#position(projection, request.minPosition);
    const time = instantOf(this.clock.now());
    const result = await this.as(request, (reader) => read(reader, time, position));
    return { result, asOf: { position, time } };
  }

  /** Reads with the rights of the caller. */
  as<Result>({ ownCustomerId }: ReadRequest, read: (reader: Reader) => Promise<Result>): Promise<Result> {
    return ownCustomerId === null ? read(this.database) : asCustomer(this.database, ownCustomerId, read);
  }

  #known(projection: string): Position {
    return this.#positions.get(projection) ?? START;
  }

  async #position(projection: string, reached: Position | null): Promise<Position> {
    if (this.clock.now() - this.#readAt > cacheMs) await this.#refresh();
    const known = this.#known(projection);
    return reached !== null && reached > known ? reached : known;
  }

  /** Readers that come while the positions are being read share the answer. */
  #refresh(): Promise<void> {
    this.#reading ??= this.#load().finally(() => {
      this.#reading = null;
    });
    return this.#reading;
  }

  async #load(): Promise<void> {
    const readAt = this.clock.now();
    const generations = await generationsOf(this.database);
    this.#positions = new Map(
      generations.filter(({ role }) => role === 'live').map(({ name, position }) => [name, position]),
    );
    this.#readAt = readAt;
  }
}
