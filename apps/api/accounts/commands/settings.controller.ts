import { Body, Controller, Patch, Post, Req } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import type { StreamName } from '#kernel/stream-name.js';
import type { Answer } from '../../http/answer.js';
import type { ApiRequest } from '../../http/caller.js';
import { Needs } from '../../http/route.js';
import { CommandRoute } from '../../openapi/api-docs.js';
import { AccountWriter } from '../../writes/ledger-writers.js';
import { accountAnswer, settingsAnswer } from './answers.js';
import { settingsIntent, statusIntent, type AccountIntent } from './intents.js';
import { AccountService } from './account-service.js';
import { ReasonBody, SettingsBody } from './bodies.dto.js';
import { orderIn } from './order-in.js';

/**
 * What operators set on an account. An Idempotency-Key is not needed, for the same again changes nothing; with one, a late repeat gets the
 * first answer and has no effect, whatever was set since.
 */
@ApiTags('Accounts')
@Controller('v1/customers/:customerId/account')
export class AccountSettingsController {
  constructor(
    private readonly accounts: AccountService,
    private readonly writer: AccountWriter,
  ) {}

  @Patch()
  @Needs('admin', { dryRun: true })
  @CommandRoute({
    id: 'changeAccountSettings',
    summary: 'Change settings of an account',
    body: SettingsBody,
    setsState: true,
    problems: ['account_closed'],
  })
  settings(@Req() request: ApiRequest, @Body() body: SettingsBody): Promise<Answer> {
    return this.#run(request, body.unit, settingsIntent(body));
  }

  @Post('freeze')
  @Needs('admin', { dryRun: true })
  @CommandRoute({
    id: 'freezeAccount',
    summary: 'Stop new spending',
    body: ReasonBody,
    setsState: true,
    problems: ['account_closed'],
  })
  freeze(@Req() request: ApiRequest, @Body() body: ReasonBody): Promise<Answer> {
    return this.#run(request, body.unit, statusIntent('FreezeAccount', body));
  }

  @Post('unfreeze')
  @Needs('admin', { dryRun: true })
  @CommandRoute({
    id: 'unfreezeAccount',
    summary: 'Allow spending again',
    body: ReasonBody,
    setsState: true,
    problems: ['account_closed'],
  })
  unfreeze(@Req() request: ApiRequest, @Body() body: ReasonBody): Promise<Answer> {
    return this.#run(request, body.unit, statusIntent('UnfreezeAccount', body));
  }

  @Post('close')
  @Needs('admin', { dryRun: true })
  @CommandRoute({ id: 'closeAccount', summary: 'End an account for good', body: ReasonBody, setsState: true })
  close(@Req() request: ApiRequest, @Body() body: ReasonBody): Promise<Answer> {
    return this.#run(request, body.unit, statusIntent('CloseAccount', body));
  }

  #run(request: ApiRequest, unit: string | undefined, intent: AccountIntent): Promise<Answer> {
    const order = orderIn(request, unit, intent, false);
    // With a key, it is recorded also where it changes nothing.
    const noted = order.key === null ? order : { ...order, command: { ...order.command, noted: true } };
    return this.accounts.set(
      noted,
      async (recorded) => (recorded && settingsAnswer(order.stream, recorded)) ?? (await this.#current(order.stream)),
    );
  }

  /** The account as it is, where the command changed nothing of it. */
  async #current(stream: StreamName): Promise<object> {
    const { state, position } = await this.writer.load(stream);
    return accountAnswer(stream, state.settings, { balance: state.balance, position });
  }
}
