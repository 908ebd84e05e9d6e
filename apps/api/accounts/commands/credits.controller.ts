import { Body, Controller, Param, Post, Req } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { PriceList } from '../../catalogue/price-list.js';
import type { Answer } from '../../http/answer.js';
import type { ApiRequest } from '../../http/caller.js';
import { Needs } from '../../http/route.js';
import { CommandRoute } from '../../openapi/api-docs.js';
import {
  adjustmentAnswer,
  captureAnswer,
  consumptionAnswer,
  extensionAnswer,
  grantAnswer,
  holdAnswer,
  raiseAnswer,
  releaseAnswer,
  reversalAnswer,
  revocationAnswer,
  type AccountAnswer,
} from './answers.js';
import {
  adjustIntent,
  captureIntent,
  consumeIntent,
  extendIntent,
  grantIntent,
  holdIntent,
  raiseIntent,
  releaseIntent,
  reverseIntent,
  revokeIntent,
  type AccountIntent,
} from './intents.js';
import { commandProblems } from './refusals.js';
import { AccountService } from './account-service.js';
import {
  AdjustmentBody,
  CaptureBody,
  ConsumptionBody,
  ExtensionBody,
  GrantBody,
  HoldBody,
  RaiseBody,
  ReleaseBody,
  ReversalBody,
  RevocationBody,
} from './bodies.dto.js';
import { orderIn } from './order-in.js';

/** The commands that move credits. Every one needs an Idempotency-Key. */
@ApiTags('Credits')
@Controller('v1/customers/:customerId')
export class CreditsController {
  constructor(
    private readonly accounts: AccountService,
    private readonly prices: PriceList,
  ) {}

  @Post('grants')
  @Needs('credits:write', { dryRun: true })
  @CommandRoute({
    id: 'grantCredits',
    summary: 'Grant credits',
    body: GrantBody,
    problems: commandProblems.grant,
  })
  grant(@Req() request: ApiRequest, @Body() body: GrantBody): Promise<Answer> {
    return this.#run(request, body.unit, grantIntent(body), grantAnswer);
  }

  @Post('consumptions')
  @Needs('credits:write', { dryRun: true })
  @CommandRoute({
    id: 'consumeCredits',
    summary: 'Consume credits, or a priced credit event',
    body: ConsumptionBody,
    problems: commandProblems.consume,
  })
  async consume(@Req() request: ApiRequest, @Body() body: ConsumptionBody): Promise<Answer> {
    const pricing = await this.prices.pricing(body.creditEvent === undefined ? [] : [body.creditEvent]);
    return this.#run(request, body.unit, consumeIntent(body, pricing), consumptionAnswer);
  }

  @Post('consumptions/:consumptionId/reversals')
  @Needs('credits:write', { dryRun: true })
  @CommandRoute({
    id: 'reverseConsumption',
    summary: 'Give a consumption back, whole or in part',
    body: ReversalBody,
    problems: commandProblems.reverse,
  })
  reverse(@Req() request: ApiRequest, @Param('consumptionId') id: string, @Body() body: ReversalBody): Promise<Answer> {
    return this.#run(request, body.unit, reverseIntent(body, id), reversalAnswer);
  }

  @Post('holds')
  @Needs('credits:write', { dryRun: true })
  @CommandRoute({
    id: 'placeHold',
    summary: 'Reserve credits for work under way',
    body: HoldBody,
    problems: commandProblems.hold,
  })
  hold(@Req() request: ApiRequest, @Body() body: HoldBody): Promise<Answer> {
    return this.#run(request, body.unit, holdIntent(body), holdAnswer);
  }

  @Post('holds/:holdId/raises')
  @Needs('credits:write', { dryRun: true })
  @CommandRoute({
    id: 'raiseHold',
    summary: 'Reserve more by an open hold',
    body: RaiseBody,
    problems: commandProblems.raise,
  })
  raise(@Req() request: ApiRequest, @Param('holdId') id: string, @Body() body: RaiseBody): Promise<Answer> {
    return this.#run(request, body.unit, raiseIntent(body, id), raiseAnswer);
  }

  @Post('holds/:holdId/captures')
  @Needs('credits:write', { dryRun: true })
  @CommandRoute({
    id: 'captureHold',
    summary: 'Consume what was reserved',
    body: CaptureBody,
    problems: commandProblems.capture,
  })
  capture(@Req() request: ApiRequest, @Param('holdId') id: string, @Body() body: CaptureBody): Promise<Answer> {
    return this.#run(request, body.unit, captureIntent(body, id), captureAnswer);
  }

  @Post('holds/:holdId/releases')
  @Needs('credits:write', { dryRun: true })
  @CommandRoute({
    id: 'releaseHold',
    summary: 'Give back what was reserved',
    body: ReleaseBody,
    problems: commandProblems.release,
  })
  release(@Req() request: ApiRequest, @Param('holdId') id: string, @Body() body: ReleaseBody): Promise<Answer> {
    return this.#run(request, body.unit, releaseIntent(id), releaseAnswer);
  }

  @Post('holds/:holdId/extensions')
  @Needs('credits:write', { dryRun: true })
  @CommandRoute({
    id: 'extendHold',
    summary: 'Keep a hold open longer, counted from now',
    body: ExtensionBody,
    problems: commandProblems.extend,
  })
  extend(@Req() request: ApiRequest, @Param('holdId') id: string, @Body() body: ExtensionBody): Promise<Answer> {
    return this.#run(request, body.unit, extendIntent(body, id), extensionAnswer);
  }

  @Post('grants/:grantId/revocations')
  @Needs('admin', { dryRun: true })
  @CommandRoute({
    id: 'revokeGrant',
    summary: 'End a grant, or take a part of what is unspent of it',
    body: RevocationBody,
    problems: commandProblems.revoke,
  })
  revoke(@Req() request: ApiRequest, @Param('grantId') id: string, @Body() body: RevocationBody): Promise<Answer> {
    return this.#run(request, body.unit, revokeIntent(body, id), revocationAnswer);
  }

  @Post('adjustments')
  @Needs('admin', { dryRun: true })
  @CommandRoute({
    id: 'adjustBalance',
    summary: 'Correct a balance by hand, in either direction',
    body: AdjustmentBody,
    problems: commandProblems.adjust,
  })
  adjust(@Req() request: ApiRequest, @Body() body: AdjustmentBody): Promise<Answer> {
    return this.#run(request, body.unit, adjustIntent(body), adjustmentAnswer);
  }

  #run(request: ApiRequest, unit: string | undefined, intent: AccountIntent, bodyOf: AccountAnswer): Promise<Answer> {
    return this.accounts.run(orderIn(request, unit, intent, true), bodyOf);
  }
}
