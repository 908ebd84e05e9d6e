import { Body, Controller, Get, Param, Post, Query, Req } from '@nestjs/common';
import { QueryBus } from '@nestjs/cqrs';
import { ApiTags } from '@nestjs/swagger';
import { accountOf, DEFAULT_UNIT } from '#kernel/stream-name.js';
import { transfersCursor } from '#projections/transfers/queries.js';
import { AccountService } from '../accounts/commands/account-service.js';
import { fingerprintOf } from '../accounts/commands/intents.js';
import { orderIn } from '../accounts/commands/order-in.js';
import { AccountListQuery, AccountQuery } from '../accounts/reads/queries.dto.js';
import type { Answer } from '../http/answer.js';
import type { ApiRequest } from '../http/caller.js';
import { Problem } from '../http/problem.js';
import { Needs } from '../http/route.js';
import { CommandRoute, QueryRoute } from '../openapi/api-docs.js';
import { pageBody, pageWanted } from '../reads/pages.js';
import { readRequest } from '../reads/read-request.js';
import { transferAnswer } from './answer.js';
import { TransferBody } from './body.dto.js';
import { ListTransfers } from './list-transfers.js';
import { Receivers } from './receivers.js';

/** Credits that customers give each other. */
@ApiTags('Credits')
@Controller('v1/customers/:customerId/transfers')
export class TransfersController {
  constructor(
    private readonly accounts: AccountService,
    private readonly receivers: Receivers,
    private readonly queries: QueryBus,
  ) {}

  @Post()
  @Needs('credits:write', { dryRun: true })
  @CommandRoute({
    id: 'transferCredits',
    summary: 'Give credits to another customer',
    body: TransferBody,
    problems: ['insufficient_credits', 'customer_not_found', 'too_many_grants', 'account_frozen', 'account_closed'],
  })
  async transfer(@Req() request: ApiRequest, @Body() body: TransferBody): Promise<Answer> {
    const { toCustomerId, amount, reason = null } = body;
    const { customerId } = request.params as { readonly customerId: string };
    if (toCustomerId === customerId) throw toOneself();
    const said = { type: 'TransferCredits', toCustomerId, amount, reason } as const;
    const intent = { command: { ...said, receiver: 'unknown' }, fingerprint: fingerprintOf(said) } as const;
    const order = orderIn(request, body.unit, intent, true);
    const receiver = await this.receivers.look(toCustomerId, accountOf(order.stream)?.unit ?? DEFAULT_UNIT);
    return this.accounts.run({ ...order, command: { ...said, receiver } }, transferAnswer);
  }

  @Get()
  @Needs('credits:read')
  @QueryRoute({
    id: 'listTransfers',
    summary: 'Transfers that the customer sent or was sent, newest first',
    problems: ['customer_not_found'],
  })
  async transfers(
    @Req() request: ApiRequest,
    @Param('customerId') customerId: string,
    @Query() query: AccountListQuery,
  ): Promise<object> {
    const filter = { customerId, unit: query.unit ?? DEFAULT_UNIT };
    const list = { list: 'transfers', ...filter };
    const { limit, cursor } = pageWanted(query, transfersCursor, list);
    const asked = readRequest(query, request.caller);
    return pageBody(await this.queries.execute(new ListTransfers(filter, limit, cursor, asked)), list);
  }

  @Get(':transferId')
  @Needs('credits:read')
  @QueryRoute({
    id: 'getTransfer',
    summary: 'One transfer, and whether it has arrived',
    problems: ['customer_not_found', 'transfer_not_found'],
  })
  async one(
    @Req() request: ApiRequest,
    @Param('customerId') customerId: string,
    @Param('transferId') id: string,
    @Query() query: AccountQuery,
  ): Promise<object> {
    const filter = { customerId, unit: query.unit ?? DEFAULT_UNIT, id };
    const asked = readRequest(query, request.caller);
    const { result, asOf } = await this.queries.execute(new ListTransfers(filter, 1, null, asked));
    const [transfer] = result.data;
    if (transfer === undefined) throw new Problem('transfer_not_found');
    return { ...transfer, asOf };
  }
}

const toOneself = (): Problem =>
  new Problem('invalid_request', {
    errors: [{ field: 'toCustomerId', message: 'must be another customer than that of the path' }],
  });
