import { Injectable } from '@nestjs/common';
import { accountStream, DEFAULT_UNIT } from '#kernel/stream-name.js';
import type { ApiAccountCommand } from '../../writes/api-account-decider.js';
import { AccountWriter } from '../../writes/ledger-writers.js';
import type { BillingRequest } from './request.js';
import { recordedOrProblem } from '../stripe/outbox.js';

/** What the customer's account says to a request. Its keys and those of the account's own commands are the same ones. */
@Injectable()
export class AccountKeys {
  constructor(private readonly accounts: AccountWriter) {}

  /** Whether the same request was noted before. Throws the problem `idempotency_key_reused` where its key was given to another. */
  async knows(request: BillingRequest): Promise<boolean> {
    return request.key !== null && (await this.#run(request, { type: 'LookUpKey' })) === 'recorded';
  }

  /**
   * Notes a request in the account, from where on its key is its own; the same again changes nothing. To be done when nothing speaks
   * against the request any more, for one that is refused leaves its key free. Throws Problem.
   */
  async note(request: BillingRequest): Promise<void> {
    if (request.key !== null) await this.#run(request, { type: 'RequestBilling', operation: request.operation });
  }

  async #run(
    { customerId, key, actor, requestId }: BillingRequest,
    command: ApiAccountCommand,
  ): Promise<'recorded' | 'unchanged'> {
    const outcome = await this.accounts.execute({
      stream: accountStream(customerId, DEFAULT_UNIT),
      command,
      key: key?.value ?? null,
      origin: 'api',
      fingerprint: key?.fingerprint ?? null,
      actor,
      causationId: null,
      correlationId: requestId,
    });
    return recordedOrProblem(outcome);
  }
}
