import { Injectable } from '@nestjs/common';
import { Clock } from '#kernel/clock.js';
import { catalogStream } from '#kernel/stream-name.js';
import { emptyCatalog, type CatalogState } from '#ledger/catalog.js';
import { CatalogReader } from '../writes/ledger-writers.js';

const maxAgeMs = 500;

/** The catalogue, folded from the log, at most half a second old. */
@Injectable()
export class KnownCatalog {
  #catalog: CatalogState = emptyCatalog;
  #readAt = -Infinity;
  #reading: Promise<void> | null = null;

  constructor(
    private readonly catalogs: CatalogReader,
    private readonly clock: Clock,
  ) {}

  /**
   * The catalogue for one request. One that has not all that the request names is read once more, so that what was published a moment
   * ago counts before anything is refused.
   */
  async with(hasAll: (catalog: CatalogState) => boolean): Promise<CatalogState> {
    if (this.clock.now() - this.#readAt > maxAgeMs) await this.#read();
    if (!hasAll(this.#catalog)) await this.#read();
    return this.#catalog;
  }

  /** Callers that come while a read is under way share it. */
  #read(): Promise<void> {
    this.#reading ??= this.#load().finally(() => {
      this.#reading = null;
    });
    return this.#reading;
  }

  async #load(): Promise<void> {
    const readAt = this.clock.now();
    const { state } = await this.catalogs.load(catalogStream);
    this.#catalog = state;
    this.#readAt = readAt;
  }
}
