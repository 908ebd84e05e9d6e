import { Module } from '@nestjs/common';
import { ReadsModule } from '../reads/reads.module.js';
import { CatalogueController } from './catalogue.controller.js';
import { ListCatalogueHandler } from './queries.js';
import { FeatureOffers } from './feature-offers.js';
import { KnownCatalog } from './known-catalog.js';
import { PriceList } from './price-list.js';

/** What is on sale, what it costs, and what plans let their customers use. */
@Module({
  imports: [ReadsModule],
  controllers: [CatalogueController],
  providers: [ListCatalogueHandler, KnownCatalog, PriceList, FeatureOffers],
  exports: [KnownCatalog, PriceList, FeatureOffers],
})
export class CatalogueModule {}
