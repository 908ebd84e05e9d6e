import { Module, type DynamicModule } from '@nestjs/common';
import { CqrsModule } from '@nestjs/cqrs';
import { AccountsModule } from './accounts/accounts.module.js';
import { AdminModule } from './admin/admin.module.js';
import { BillingModule } from './billing/billing.module.js';
import { CatalogueModule } from './catalogue/catalogue.module.js';
import { CustomersModule } from './customers/customers.module.js';
import { HttpModule } from './http/http.module.js';
import type { RouteTable } from './http/route-table.js';
import { LogModule } from './log/log.module.js';
import { OperationsModule } from './operations/operations.module.js';
import type { Parts } from './parts.js';
import { PartsModule } from './parts.module.js';
import { TransfersModule } from './transfers/transfers.module.js';
import { UsageModule } from './usage/usage.module.js';
import { WebhooksModule } from './webhooks/webhooks.module.js';

const subjects = [
  AccountsModule,
  AdminModule,
  BillingModule,
  CatalogueModule,
  CustomersModule,
  LogModule,
  TransfersModule,
  UsageModule,
  WebhooksModule,
];

/** All that one port serves. */
@Module({})
export class ApiModule {
  /** The API; the routes for operations too, unless they have a port of their own. */
  static with(parts: Parts, routes: RouteTable): DynamicModule {
    const { config } = parts.context;
    return composed(parts, routes, [
      CqrsModule.forRoot(),
      ...subjects,
      ...(config.metricsPort === null ? [OperationsModule] : []),
    ]);
  }

  /** The routes for operations alone. */
  static forOperations(parts: Parts, routes: RouteTable): DynamicModule {
    return composed(parts, routes, [OperationsModule]);
  }
}

const composed = (parts: Parts, routes: RouteTable, served: NonNullable<DynamicModule['imports']>): DynamicModule => ({
  module: ApiModule,
  imports: [PartsModule.with(parts), HttpModule.with(parts.context.logger, routes), ...served],
});
