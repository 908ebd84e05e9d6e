import { Injectable } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import { accountStream, DEFAULT_UNIT, isUnit, type StreamName } from '#kernel/stream-name.js';
import type { ApiRequest } from '../http/caller.js';
import { answerOf, type Answer } from '../http/outcomes.js';
import { Problem } from '../http/problems.js';
import type { ApiAccountRefusal } from '../writes/api-account-decider.js';
import type { AccountAnswer } from './account-answers.js';
import type { AccountIntent } from './account-requests.js';
import { RunAccountCommand, type AccountOutcome } from './account.commands.js';
import { TopUp } from './top-up.js';

/** A command of a caller for one account, ready to be carried out. */
export type AccountOrder = AccountIntent & {
  readonly stream: StreamName;
  /** Null: the caller gave none, and the command is harmless to repeat. */
  readonly key: string | null;
  readonly actor: string;
  readonly requestId: string;
};

/** Carries out account commands and words their answers, for single and bulk requests alike. */
@Injectable()
export class AccountService {
  constructor(
    private readonly commands: CommandBus,
    private readonly topUp: TopUp,
  ) {}

  outcomeOf(order: AccountOrder): Promise<AccountOutcome> {
    return this.commands.execute(
      new RunAccountCommand({
        stream: order.stream,
        command: order.command,
        key: order.key,
        origin: 'api',
        fingerprint: order.fingerprint,
        actor: order.actor,
        causationId: null,
        correlationId: order.requestId,
      }),
    );
  }

  /** The answer of a command that always records something when it is accepted. */
  answerOf(order: AccountOrder, bodyOf: AccountAnswer): Promise<Answer> {
    return this.outcomeOf(order).then((outcome) => {
      if (outcome.kind === 'unchanged') throw new Error(`${order.command.type} was accepted and recorded nothing`);
      return this.answerTo(outcome, order, bodyOf);
    });
  }

  answerTo(
    outcome: Exclude<AccountOutcome, { kind: 'unchanged' }>,
    order: AccountOrder,
    bodyOf: AccountAnswer,
  ): Answer {
    return answerOf(
      outcome,
      order.requestId,
      (events) => bodyOf(order.stream, events),
      (refusal) => this.#membersOf(refusal as ApiAccountRefusal, order.stream),
    );
  }

  #membersOf(refusal: ApiAccountRefusal, stream: StreamName): { readonly [member: string]: unknown } {
    if (refusal.rejected !== 'insufficient_credits') return {};
    return { available: refusal.available, required: refusal.required, ...this.topUp.members(stream) };
  }
}

const keyPattern = /^[\x20-\x7e]{1,255}$/;

/** The Idempotency-Key of a request. It must be there unless the command is harmless to repeat. */
export function keyOf(
  header: string | string[] | undefined,
  distinct: readonly string[] | undefined,
  required: boolean,
): string | null {
  if (header === undefined || header === '') {
    if (required) throw new Problem('idempotency_key_required');
    return null;
  }
  if (typeof header !== 'string' || (distinct?.length ?? 1) > 1) throw invalid('Idempotency-Key', 'must be sent once');
  if (!keyPattern.test(header)) throw invalid('Idempotency-Key', 'must be 1 to 255 printable ASCII characters');
  return header;
}

const invalid = (field: string, message: string): Problem =>
  new Problem('invalid_request', { errors: [{ field, message }] });

/** The Idempotency-Key of a request, as `keyOf` reads it. */
export function keyIn({ headers, raw }: ApiRequest, required: boolean): string | null {
  const header = headers['idempotency-key'];
  // Looked up only where it can matter: it costs a pass over all headers.
  return keyOf(header, header?.includes(',') ? raw.headersDistinct['idempotency-key'] : undefined, required);
}

/** The account that a path, a query and a body name together. */
export function streamOf(customerId: string, inQuery: unknown, inBody: string | undefined): StreamName {
  if (inQuery !== undefined) {
    if (typeof inQuery !== 'string' || !isUnit(inQuery)) throw invalid('unit', 'must be a unit');
    if (inBody !== undefined && inBody !== inQuery)
      throw invalid('unit', 'is one in the query and another in the body');
    return accountStream(customerId, inQuery);
  }
  return accountStream(customerId, inBody ?? DEFAULT_UNIT);
}
