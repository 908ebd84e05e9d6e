import { Module } from '@nestjs/common';
import { ReadsModule } from '../reads/reads.module.js';
import { CatalogueController } from './catalogue.controller.js';
import { ListCatalogueHandler } from './queries.js';
import { PriceList } from './price-list.js';

/** What is on sale, and what it costs. */
@Module({
  imports: [ReadsModule],
  controllers: [CatalogueController],
  providers: [ListCatalogueHandler, PriceList],
  exports: [PriceList],
})
export class CatalogueModule {}
