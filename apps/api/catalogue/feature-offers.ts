import { Injectable } from '@nestjs/common';
import type { CatalogState } from '#ledger/catalog.js';
import { offerOf, type FeatureOffer } from '#ledger/usage/offers.js';
import { KnownCatalog } from './known-catalog.js';

/** What the plans of the catalogue say of their features. */
@Injectable()
export class FeatureOffers {
  #of: CatalogState | null = null;
  readonly #offers = new Map<string, FeatureOffer>();

  constructor(private readonly catalog: KnownCatalog) {}

  /** What is offered of a feature now and was before. */
  async of(feature: string): Promise<FeatureOffer> {
    return this.#in(await this.catalog.with((catalog) => this.#in(catalog, feature).known), feature);
  }

  /** Every use asks for one: it is worked out once for each state of the catalogue. What nobody offers is not kept. */
  #in(catalog: CatalogState, feature: string): FeatureOffer {
    if (catalog !== this.#of) {
      this.#of = catalog;
      this.#offers.clear();
    }
    const known = this.#offers.get(feature);
    if (known !== undefined) return known;
    const offer = offerOf(catalog, feature);
    if (offer.known) this.#offers.set(feature, offer);
    return offer;
  }
}
