import { Module } from '@nestjs/common';
import { CatalogueModule } from '../catalogue/catalogue.module.js';
import { UsageModule } from '../usage/usage.module.js';
import { ReadsModule } from '../reads/reads.module.js';
import { AccountReadsController } from './reads/account-reads.controller.js';
import { AccountService } from './commands/account-service.js';
import { AccountSettingsController } from './commands/settings.controller.js';
import { RunAccountCommandHandler } from './commands/run-account-command.js';
import { CreditsController } from './commands/credits.controller.js';
import { ExplainingController } from './explaining/explaining.controller.js';
import { GetConsumptionHandler } from './explaining/consumption.js';
import { GetExplanationHandler } from './explaining/explanation.js';
import { ListGrantUsesHandler } from './explaining/grant-uses.js';
import { KeyedCommands } from './reads/keyed-commands.js';
import { BalanceHistory } from './reads/balance-history.js';
import { GetForecastHandler } from './reads/forecast.js';
import { BudgetsController } from './budgets/budgets.controller.js';
import { ListBudgetsHandler } from './budgets/list-budgets.js';
import { BulkController } from './bulk/bulk.controller.js';
import {
  GetAccountHandler,
  GetBalanceAtHandler,
  GetBalanceHandler,
  ListClaimsHandler,
  ListGrantsHandler,
  ListHistoryHandler,
  ListHoldsHandler,
} from './reads/queries.js';
import { TopUp } from './commands/top-up.js';

const handlers = [
  RunAccountCommandHandler,
  GetAccountHandler,
  GetBalanceAtHandler,
  GetBalanceHandler,
  GetConsumptionHandler,
  GetExplanationHandler,
  GetForecastHandler,
  ListBudgetsHandler,
  ListClaimsHandler,
  ListGrantsHandler,
  ListGrantUsesHandler,
  ListHistoryHandler,
  ListHoldsHandler,
];

/** Accounts: the commands that move their credits, alone and in bulk, their settings, and what they hold. */
@Module({
  imports: [CatalogueModule, ReadsModule, UsageModule],
  controllers: [
    CreditsController,
    AccountReadsController,
    ExplainingController,
    AccountSettingsController,
    BudgetsController,
    BulkController,
  ],
  providers: [AccountService, BalanceHistory, KeyedCommands, TopUp, ...handlers],
  exports: [AccountService],
})
export class AccountsModule {}
