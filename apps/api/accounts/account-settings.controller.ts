import { Body, Controller, Patch, Post, Req, Res } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import type { StreamName } from '#kernel/stream-name.js';
import type { ApiRequest } from '../http/caller.js';
import { success } from '../http/outcomes.js';
import { Needs } from '../http/route.js';
import { send } from '../http/send.js';
import { CommandRoute } from '../openapi/api-docs.js';
import { AccountWriter } from '../writes/ledger-writers.js';
import { accountAnswer, settingsAnswer } from './account-answers.js';
import { settingsIntent, statusIntent, type AccountIntent } from './account-requests.js';
import { AccountService, keyIn, streamOf } from './account-service.js';
import { ReasonBody, SettingsBody } from './account.dto.js';

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
  @Needs('admin')
  @CommandRoute({
    id: 'changeAccountSettings',
    summary: 'Change settings of an account',
    body: SettingsBody,
    setsState: true,
    problems: ['account_closed'],
  })
  settings(@Req() request: ApiRequest, @Body() body: SettingsBody, @Res() reply: FastifyReply): Promise<void> {
    return this.#run(request, reply, body.unit, settingsIntent(body));
  }

  @Post('freeze')
  @Needs('admin')
  @CommandRoute({
    id: 'freezeAccount',
    summary: 'Stop new spending',
    body: ReasonBody,
    setsState: true,
    problems: ['account_closed'],
  })
  freeze(@Req() request: ApiRequest, @Body() body: ReasonBody, @Res() reply: FastifyReply): Promise<void> {
    return this.#run(request, reply, body.unit, statusIntent('FreezeAccount', body));
  }

  @Post('unfreeze')
  @Needs('admin')
  @CommandRoute({
    id: 'unfreezeAccount',
    summary: 'Allow spending again',
    body: ReasonBody,
    setsState: true,
    problems: ['account_closed'],
  })
  unfreeze(@Req() request: ApiRequest, @Body() body: ReasonBody, @Res() reply: FastifyReply): Promise<void> {
    return this.#run(request, reply, body.unit, statusIntent('UnfreezeAccount', body));
  }

  @Post('close')
  @Needs('admin')
  @CommandRoute({ id: 'closeAccount', summary: 'End an account for good', body: ReasonBody, setsState: true })
  close(@Req() request: ApiRequest, @Body() body: ReasonBody, @Res() reply: FastifyReply): Promise<void> {
    return this.#run(request, reply, body.unit, statusIntent('CloseAccount', body));
  }

  async #run(request: ApiRequest, reply: FastifyReply, unit: string | undefined, intent: AccountIntent): Promise<void> {
    const { customerId } = request.params as { customerId: string };
    const key = keyIn(request, false);
    const order = {
      fingerprint: intent.fingerprint,
      command: key === null ? intent.command : { ...intent.command, noted: true },
      stream: streamOf(customerId, (request.query as { unit?: unknown }).unit, unit),
      key,
      actor: request.caller?.actor ?? 'nobody',
      requestId: request.id,
    };
    const outcome = await this.accounts.outcomeOf(order);
    if (outcome.kind !== 'unchanged' && outcome.kind !== 'recorded')
      return send(
        reply,
        this.accounts.answerTo(outcome, order, () => ({})),
      );
    const set = outcome.kind === 'recorded' ? settingsAnswer(order.stream, outcome.events) : null;
    const replayed = outcome.kind === 'recorded' && outcome.replayed;
    send(reply, success(200, set ?? (await this.#current(order.stream)), replayed));
  }

  /** The account as it is, where the command changed nothing of it. */
  async #current(stream: StreamName): Promise<object> {
    const { state, position } = await this.writer.load(stream);
    return accountAnswer(stream, state.settings, { balance: state.balance, position });
  }
}
