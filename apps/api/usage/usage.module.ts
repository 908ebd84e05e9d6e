import { Module } from '@nestjs/common';
import { CatalogueModule } from '../catalogue/catalogue.module.js';
import { ReadsModule } from '../reads/reads.module.js';
import { GetEntitlementsHandler, ListUsageHandler } from './queries.js';
import { UsageReadsController } from './reads.controller.js';
import { RunUsageCommandHandler } from './run-usage-command.js';
import { UsageController } from './usage.controller.js';
import { UsageRecorder } from './recorder.js';

/** What customers may use of their plans, and what they used. */
@Module({
  imports: [CatalogueModule, ReadsModule],
  controllers: [UsageController, UsageReadsController],
  providers: [UsageRecorder, RunUsageCommandHandler, GetEntitlementsHandler, ListUsageHandler],
  exports: [UsageRecorder],
})
export class UsageModule {}
