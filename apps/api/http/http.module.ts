import { Module, type DynamicModule } from '@nestjs/common';
import { APP_FILTER, APP_GUARD, APP_PIPE } from '@nestjs/core';
import type { Logger } from '#config/logger.js';
import { AccessGuard } from './admission/access.guard.js';
import { CheckedPipe } from './validation/checked.pipe.js';
import { ProblemFilter } from './problem.filter.js';
import type { RouteTable } from './route-table.js';

/** What every request of an application goes through: one guard, one pipe, one filter. */
@Module({})
export class HttpModule {
  static with(logger: Logger, routes: RouteTable): DynamicModule {
    return {
      module: HttpModule,
      providers: [
        { provide: APP_GUARD, useClass: AccessGuard },
        { provide: APP_PIPE, useClass: CheckedPipe },
        { provide: APP_FILTER, useValue: new ProblemFilter(logger, routes) },
      ],
    };
  }
}
