import { Injectable } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import { assert } from '#kernel/assert.js';
import { parseInstant } from '#kernel/instant.js';
import type { Recorded } from '#event-store/writing/command.js';
import type { LimitUse } from '#ledger/usage/limits.js';
import type { UsageEvent, UsageRefusal } from '#ledger/usage/usage.js';
import { fingerprintOf } from '../accounts/commands/intents.js';
import { ApiContext } from '../api-context.js';
import { FeatureOffers } from '../catalogue/feature-offers.js';
import { answerOf, problemAnswer, type Answer } from '../http/answer.js';
import { asDryRun } from '../http/dry-run.js';
import type { UsageBody } from './bodies.dto.js';
import { RunUsageCommand, type UsageOrder } from './run-usage-command.js';

/** Who says what was used, whose use it is, and under which key. */
export type UsageAsked = Omit<UsageOrder, 'command' | 'fingerprint'>;

/** A limit as callers see it. */
export const shownLimit = (feature: string, { window, limit, used, windowStart, windowEnd }: LimitUse): object => ({
  feature,
  window,
  limit,
  used,
  remaining: Math.max(0, limit - used),
  windowStart,
  windowEnd,
});

/** Records the use of features, for single and bulk requests alike. */
@Injectable()
export class UsageRecorder {
  constructor(
    private readonly commands: CommandBus,
    private readonly offers: FeatureOffers,
    private readonly context: ApiContext,
  ) {}

  async record(asked: UsageAsked, body: UsageBody): Promise<Answer> {
    const said = {
      type: 'RecordUsage',
      feature: body.feature,
      quantity: body.quantity ?? 1,
      usedAt: body.at == null ? null : parseInstant(body.at),
      limitCheck: body.limitCheck ?? true,
      description: body.description ?? null,
      metadata: body.metadata ?? {},
    } as const;
    const offer = await this.offers.of(body.feature);
    const command = { ...said, offer, graceDays: this.context.config.stripe.gracePeriodDays };
    const order = { ...asked, command, fingerprint: fingerprintOf(said) };
    const outcome = await this.commands.execute(new RunUsageCommand(order));
    if (outcome.kind === 'unchanged') throw new Error('a use was accepted and nothing recorded');
    if (outcome.kind === 'refused' && outcome.refusal.rejected === 'usage_time_out_of_range')
      return problemAnswer('invalid_request', asked.requestId, {
        errors: [{ field: 'at', message: 'must be at most 35 days ago, and not in the future' }],
      });
    const known = outcome as Exclude<typeof outcome, { kind: 'refused' }> | RefusedByRule;
    const answer = answerOf(known, asked.requestId, recordedUsage, ({ rejected: _rejected, ...members }) => members);
    return asked.dryRun ? asDryRun(answer) : answer;
  }
}

type RefusedByRule = {
  readonly kind: 'refused';
  readonly refusal: Exclude<UsageRefusal, { rejected: 'usage_time_out_of_range' }>;
};

/** The answer is made from the recorded event alone, so a repeated key gets the first one again. */
function recordedUsage(events: readonly Recorded<UsageEvent>[]): object {
  const recorded = events.at(-1);
  assert(recorded?.event.type === 'UsageRecorded', 'a use was recorded as something else');
  const { usageId, customerId, feature, quantity, usedAt, limits } = recorded.event;
  return {
    id: usageId,
    customerId,
    feature,
    quantity,
    at: usedAt,
    limits: limits.map((limit) => shownLimit(feature, limit)),
    position: recorded.position,
  };
}
