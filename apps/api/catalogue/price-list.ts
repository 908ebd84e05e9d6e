import { Injectable } from '@nestjs/common';
import type { Amount } from '#kernel/amount.js';
import { Clock } from '#kernel/clock.js';
import { catalogStream } from '#kernel/stream-name.js';
import { emptyCatalog, priceOf, type CatalogState, type PricingRefusal } from '#ledger/catalog.js';
import { CatalogReader } from '../writes/ledger-writers.js';

/** Looks a price up in the catalogue as it is known now. */
export type Pricing = (creditEvent: string, quantity: number) => Amount | PricingRefusal;

const maxAgeMs = 500;

/** The catalogue's prices, folded from the log, at most half a second old. */
@Injectable()
export class PriceList {
  #catalog: CatalogState = emptyCatalog;
  #readAt = -Infinity;
  #reading: Promise<void> | null = null;

  constructor(
    private readonly catalogs: CatalogReader,
    private readonly clock: Clock,
  ) {}

  /**
   * Prices for one request. What the known catalogue does not offer is looked for once more in the log before it is refused,
   * so a price published a moment ago counts.
   * @param wanted the names of the credit events that the request uses.
   */
  async pricing(wanted: readonly string[]): Promise<Pricing> {
    if (wanted.length > 0 && this.clock.now() - this.#readAt > maxAgeMs) await this.#read();
    const offered = (id: string): boolean => this.#catalog.creditEvents.get(id)?.active === true;
    if (!wanted.every(offered)) await this.#read();
    const catalog = this.#catalog;
    return (creditEvent, quantity) => priceOf(catalog, creditEvent, quantity);
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
