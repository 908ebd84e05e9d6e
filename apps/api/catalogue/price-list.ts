import { Injectable } from '@nestjs/common';
import type { Amount } from '#kernel/amount.js';
import { emptyCatalog, priceOf, type PricingRefusal } from '#ledger/catalog.js';
import { KnownCatalog } from './known-catalog.js';

/** Looks a price up in the catalogue as it is known now. */
export type Pricing = (creditEvent: string, quantity: number) => Amount | PricingRefusal;

/** The catalogue's prices. */
@Injectable()
export class PriceList {
  constructor(private readonly catalog: KnownCatalog) {}

  /**
   * Prices for one request.
   * @param wanted the names of the credit events that the request uses.
   */
  async pricing(wanted: readonly string[]): Promise<Pricing> {
    const catalog =
      wanted.length === 0
        ? emptyCatalog
        : await this.catalog.with(({ creditEvents }) => wanted.every((id) => creditEvents.get(id)?.active === true));
    return (creditEvent, quantity) => priceOf(catalog, creditEvent, quantity);
  }
}
