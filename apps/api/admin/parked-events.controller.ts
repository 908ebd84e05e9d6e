import { Body, Controller, Get, HttpCode, Param, Post, Query, Req } from '@nestjs/common';
import { CommandBus, QueryBus } from '@nestjs/cqrs';
import { ApiTags } from '@nestjs/swagger';
import { stripeEventIdPattern } from '#kernel/stream-name.js';
import type { StripeEventCommand } from '#ledger/stripe/event.js';
import { parkedCursor } from '#projections/parked-events/queries.js';
import type { ApiRequest } from '../http/caller.js';
import { answerOf } from '../http/answer.js';
import { Problem } from '../http/problem.js';
import { Needs } from '../http/route.js';
import { OtherRoute } from '../openapi/api-docs.js';
import { pageBody, pageWanted } from '../reads/pages.js';
import { readRequest } from '../reads/read-request.js';
import { RunStripeEventCommand, type StripeEventOutcome } from '../webhooks/run-stripe-event-command.js';
import { ListParkedEvents } from './queries.js';
import { ParkedEventsQuery, SetAsideBody, SetAsideManyBody } from './parked-events.dto.js';

const AT_ONCE = 64;

/** Stripe events that wait for a person, and what that person says of them. */
@ApiTags('Operators')
@Controller('v1/admin/parked-events')
export class ParkedEventsController {
  constructor(
    private readonly commands: CommandBus,
    private readonly queries: QueryBus,
  ) {}

  @Get()
  @Needs('admin')
  @OtherRoute({
    id: 'listParkedEvents',
    query: true,
    summary: 'Stripe events that wait for a person, or were set aside, newest first',
    problems: ['store_unavailable', 'projection_behind'],
  })
  async list(@Req() request: ApiRequest, @Query() query: ParkedEventsQuery): Promise<object> {
    const { status = 'parked', reason, type, subject } = query;
    const wanted = { status, reason, type, subject };
    const list = { list: 'parked-events', ...wanted };
    const { limit, cursor } = pageWanted(query, parkedCursor, list);
    const asked = readRequest(query, request.caller);
    return pageBody(await this.queries.execute(new ListParkedEvents(wanted, limit, cursor, asked)), list);
  }

  @Post('set-aside')
  @HttpCode(200)
  @Needs('admin')
  @OtherRoute({
    id: 'setAsideParkedEvents',
    summary: 'Set parked events aside: the named ones, or the newest of those that the filter takes',
    writes: true,
    body: SetAsideManyBody,
    problems: ['projection_behind'],
    answer: '`setAside`: how many were. `hasMore`: the filter takes more than one request does; ask again.',
  })
  async setAsideMany(@Req() request: ApiRequest, @Body() body: SetAsideManyBody): Promise<object> {
    const { ids, hasMore } = await this.#chosen(request, body);
    let setAside = 0;
    for (let start = 0; start < ids.length; start += AT_ONCE) {
      const part = ids.slice(start, start + AT_ONCE).map((id) => this.#setAside(request, id, body.reason));
      for (const outcome of await Promise.all(part)) {
        if (outcome.kind === 'recorded') setAside += 1;
        else if (outcome.kind !== 'unchanged' && outcome.kind !== 'refused') return failure(outcome, request.id);
      }
    }
    return { setAside, hasMore };
  }

  @Post(':stripeEventId/set-aside')
  @HttpCode(200)
  @Needs('admin')
  @OtherRoute({
    id: 'setAsideParkedEvent',
    summary: 'Set a parked event aside: nobody has to look at it. A retry undoes it',
    writes: true,
    body: SetAsideBody,
    problems: ['stripe_event_not_found'],
    answer: '`setAside` is false for one that is not parked.',
  })
  async setAside(
    @Req() request: ApiRequest,
    @Param('stripeEventId') id: string,
    @Body() body: SetAsideBody,
  ): Promise<object> {
    checkId(id);
    const outcome = await this.#setAside(request, id, body.reason);
    if (outcome.kind !== 'recorded' && outcome.kind !== 'unchanged') return failure(outcome, request.id);
    return { id, setAside: outcome.kind === 'recorded' };
  }

  @Post(':stripeEventId/retry')
  @HttpCode(202)
  @Needs('admin')
  @OtherRoute({
    id: 'retryParkedEvent',
    summary: 'Try an event again that is parked or was set aside',
    writes: true,
    problems: ['stripe_event_not_found'],
    status: 202,
    answer: 'The worker will try it.',
  })
  async retry(@Req() request: ApiRequest, @Param('stripeEventId') id: string): Promise<object> {
    checkId(id);
    const outcome = await this.#run(request, id, { type: 'RequestRetry' });
    const accepted = { id, retryRequested: outcome.kind === 'recorded' };
    if (outcome.kind === 'recorded' || outcome.kind === 'unchanged') return accepted;
    return failure(outcome, request.id);
  }

  /** At most a thousand. Throws Problem. */
  async #chosen(
    request: ApiRequest,
    { ids, filter }: SetAsideManyBody,
  ): Promise<{ readonly ids: readonly string[]; readonly hasMore: boolean }> {
    if (ids !== undefined) return { ids, hasMore: false };
    const { reason, type, subject } = filter ?? {};
    if (reason === undefined && type === undefined && subject === undefined) {
      const errors = [{ field: 'filter', message: 'must name a reason, a type or a subject' }];
      throw new Problem('invalid_request', { errors });
    }
    const wanted = { status: 'parked', reason, type, subject } as const;
    const { result } = await this.queries.execute(
      new ListParkedEvents(wanted, SetAsideManyBody.most, null, readRequest({}, request.caller)),
    );
    return { ids: result.data.map(({ id }) => id), hasMore: result.next !== null };
  }

  #setAside(request: ApiRequest, id: string, reason: string): Promise<StripeEventOutcome> {
    return this.#run(request, id, { type: 'SetAsideStripeEvent', actor: actorOf(request), reason });
  }

  #run(request: ApiRequest, stripeEventId: string, command: StripeEventCommand): Promise<StripeEventOutcome> {
    const actor = actorOf(request);
    return this.commands.execute(new RunStripeEventCommand({ stripeEventId, command, actor, requestId: request.id }));
  }
}

const actorOf = ({ caller }: ApiRequest): string => caller?.actor ?? 'nobody';

function checkId(id: string): void {
  if (!stripeEventIdPattern.test(id)) throw new Problem('stripe_event_not_found');
}

const failure = (outcome: Exclude<StripeEventOutcome, { kind: 'unchanged' }>, requestId: string) =>
  answerOf(
    outcome,
    requestId,
    () => ({}),
    () => ({}),
  );
