import { Module } from '@nestjs/common';
import { AccountsModule } from '../accounts/accounts.module.js';
import { ReadsModule } from '../reads/reads.module.js';
import { ListTransfersHandler } from './list-transfers.js';
import { Receivers } from './receivers.js';
import { TransfersController } from './transfers.controller.js';

/** Credits that customers give each other. */
@Module({
  imports: [AccountsModule, ReadsModule],
  controllers: [TransfersController],
  providers: [Receivers, ListTransfersHandler],
})
export class TransfersModule {}
