import { Module } from '@nestjs/common';
import { CatalogueModule } from '../catalogue/catalogue.module.js';
import { ReadsModule } from '../reads/reads.module.js';
import { AccountReadsController } from './account-reads.controller.js';
import { AccountService } from './account-service.js';
import { AccountSettingsController } from './account-settings.controller.js';
import { RunAccountCommandHandler } from './account.commands.js';
import { AccountController } from './account.controller.js';
import { BalanceHistory } from './balance-history.js';
import { BulkController } from './bulk.controller.js';
import {
  GetAccountHandler,
  GetBalanceAtHandler,
  GetBalanceHandler,
  ListClaimsHandler,
  ListGrantsHandler,
  ListHistoryHandler,
  ListHoldsHandler,
} from './ledger.queries.js';
import { TopUp } from './top-up.js';

const handlers = [
  RunAccountCommandHandler,
  GetAccountHandler,
  GetBalanceAtHandler,
  GetBalanceHandler,
  ListClaimsHandler,
  ListGrantsHandler,
  ListHistoryHandler,
  ListHoldsHandler,
];

/** Accounts: the commands that move their credits, alone and in bulk, their settings, and what they hold. */
@Module({
  imports: [CatalogueModule, ReadsModule],
  controllers: [AccountController, AccountReadsController, AccountSettingsController, BulkController],
  providers: [AccountService, BalanceHistory, TopUp, ...handlers],
})
export class AccountsModule {}
