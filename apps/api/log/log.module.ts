import { Module } from '@nestjs/common';
import { ReadsModule } from '../reads/reads.module.js';
import { LogController } from './log.controller.js';
import { FindEventHandler, ReadLogHandler, StreamLogHandler } from './queries.js';

/** The log itself. */
@Module({
  imports: [ReadsModule],
  controllers: [LogController],
  providers: [FindEventHandler, ReadLogHandler, StreamLogHandler],
})
export class LogModule {}
