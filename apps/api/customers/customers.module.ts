import { Module } from '@nestjs/common';
import { BillingModule } from '../billing/billing.module.js';
import { ReadsModule } from '../reads/reads.module.js';
import { CustomerRecords } from './customer-records.js';
import { RunCustomerCommandHandler } from './run-customer-command.js';
import { CustomersController } from './customers.controller.js';
import { GetCustomerHandler, SearchCustomersHandler } from './queries.js';

/** Who the customers are. */
@Module({
  imports: [BillingModule, ReadsModule],
  controllers: [CustomersController],
  providers: [CustomerRecords, RunCustomerCommandHandler, GetCustomerHandler, SearchCustomersHandler],
})
export class CustomersModule {}
