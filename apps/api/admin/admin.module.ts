import { Module } from '@nestjs/common';
import { ReadsModule } from '../reads/reads.module.js';
import { AdminController } from './admin.controller.js';
import { GetReconciliationHandler, ListParkedEventsHandler, ListProjectionsHandler } from './queries.js';
import { ParkedEventsController } from './parked-events.controller.js';
import { ProjectionControl } from './projection-control.js';

/** What operators see and do. */
@Module({
  imports: [ReadsModule],
  controllers: [AdminController, ParkedEventsController],
  providers: [GetReconciliationHandler, ListParkedEventsHandler, ListProjectionsHandler, ProjectionControl],
})
export class AdminModule {}
