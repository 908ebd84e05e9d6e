import { Body, Controller, HttpCode, Post, Req } from '@nestjs/common';
import { ApiBody, ApiTags } from '@nestjs/swagger';
import { accountStream, DEFAULT_UNIT } from '#kernel/stream-name.js';
import { ApiContext } from '../../api-context.js';
import { PriceList, type Pricing } from '../../catalogue/price-list.js';
import { hasScope, type ApiRequest } from '../../http/caller.js';
import { isDryRun } from '../../http/dry-run.js';
import { failureAnswer } from '../../http/failures.js';
import { LoadLimit } from '../../http/admission/load-limit.js';
import { problemAnswer, type Answer } from '../../http/answer.js';
import { Problem } from '../../http/problem.js';
import { bodyFor } from '../../http/replies.js';
import { Needs } from '../../http/route.js';
import { WeightedSemaphore } from '../../http/admission/weighted-semaphore.js';
import { OtherRoute } from '../../openapi/api-docs.js';
import { ref } from '../../openapi/schema.js';
import type { UsageBody } from '../../usage/bodies.dto.js';
import { UsageRecorder } from '../../usage/recorder.js';
import { AccountService } from '../commands/account-service.js';
import { bulkCommands, bulkExample, bulkKinds, maxCommands, type BulkItem, type BulkKind } from './commands.js';

/** Many commands in one request, each with its own key and its own result. */
@ApiTags('Credits')
@Controller('v1/commands')
export class BulkController {
  readonly #semaphore = new WeightedSemaphore(maxCommands);

  constructor(
    private readonly accounts: AccountService,
    private readonly usage: UsageRecorder,
    private readonly prices: PriceList,
    private readonly load: LoadLimit,
    private readonly context: ApiContext,
  ) {}

  @Post()
  @HttpCode(200)
  @Needs('credits:write', { dryRun: true })
  @OtherRoute({
    id: 'runCommands',
    summary: 'Run up to 1,000 commands',
    description:
      'Results are in the order of the commands; one that fails does not fail another. Commands for one account, and for the usage of one customer, run in their order. In a dry run each is decided by itself.',
    problems: ['store_unavailable'],
    answer: 'One result for each command.',
  })
  @ApiBody({ schema: ref('BulkBody'), examples: { 'a grant and a consumption': { value: bulkExample } } })
  async run(@Req() request: ApiRequest, @Body() body: unknown): Promise<object> {
    const items = itemsOf(body);
    const places = items.length - 1;
    if (!this.load.grow(places)) throw new Problem('overloaded');
    try {
      await this.#semaphore.acquire(items.length);
      const pricing = await this.prices.pricing(creditEventsIn(items));
      const answers = await Promise.all(items.map((item) => this.#answerWhatever(item, request, pricing)));
      const results = answers.map((answer) => ({
        status: answer.status,
        replayed: answer.replayed,
        body: bodyFor(request, answer),
      }));
      return { results };
    } finally {
      this.#semaphore.release(items.length);
      this.load.leave(places);
    }
  }

  /** What fails one command is the answer of that one: the others may be recorded, and are told so. */
  async #answerWhatever(item: unknown, request: ApiRequest, pricing: Pricing): Promise<Answer> {
    try {
      return await this.#answer(item, request, pricing);
    } catch (error) {
      const { url = null, bodyLimit } = request.routeOptions;
      return failureAnswer(error, { requestId: request.id, route: url, bodyLimit }, this.context.logger);
    }
  }

  #answer(item: unknown, request: ApiRequest, pricing: Pricing): Answer | Promise<Answer> {
    const kind = kindOf(item);
    if (kind === null)
      return invalid(request.id, [{ field: 'type', message: `must be one of ${bulkKinds.join(', ')}` }]);
    const wanted = bulkCommands[kind];
    const errors = wanted.errors(item);
    if (errors.length > 0) return invalid(request.id, errors);
    const { caller } = request;
    if (caller === null || (wanted.needsAdmin && !hasScope(caller, 'admin')))
      return problemAnswer('forbidden', request.id);
    const { customerId, idempotencyKey: key, unit } = item as BulkItem;
    const by = { key, actor: caller.actor, requestId: request.id, dryRun: isDryRun(request) };
    if (wanted.of === 'usage') return this.usage.record({ ...by, customerId }, item as UsageBody);
    const { command, fingerprint } = wanted.intentOf(item as BulkItem, pricing);
    const stream = accountStream(customerId, unit ?? DEFAULT_UNIT);
    return this.accounts.run({ ...by, command, fingerprint, stream }, wanted.bodyOf);
  }
}

const invalid = (requestId: string, errors: object): Answer => problemAnswer('invalid_request', requestId, { errors });

function itemsOf(body: unknown): readonly unknown[] {
  const { commands, ...rest } = (typeof body === 'object' && body !== null ? body : {}) as { commands?: unknown };
  const unknown = Object.keys(rest).map(() => ({ field: '(unknown)', message: 'only commands is known here' }));
  if (unknown.length > 0) throw new Problem('invalid_request', { errors: unknown.slice(0, 1) });
  if (!Array.isArray(commands) || commands.length === 0 || commands.length > maxCommands) {
    throw new Problem('invalid_request', {
      errors: [{ field: 'commands', message: `must be a list of 1 to ${String(maxCommands)} commands` }],
    });
  }
  return commands;
}

function kindOf(item: unknown): BulkKind | null {
  const { type } = (typeof item === 'object' && item !== null ? item : {}) as { type?: unknown };
  return typeof type === 'string' && Object.hasOwn(bulkCommands, type) ? (type as BulkKind) : null;
}

function creditEventsIn(items: readonly unknown[]): readonly string[] {
  const names = new Set<string>();
  for (const item of items) {
    const { creditEvent } = (typeof item === 'object' && item !== null ? item : {}) as { creditEvent?: unknown };
    if (typeof creditEvent === 'string') names.add(creditEvent);
  }
  return [...names];
}
