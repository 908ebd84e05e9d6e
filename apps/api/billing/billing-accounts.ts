import { Injectable } from '@nestjs/common';
import { accountStream, DEFAULT_UNIT } from '#kernel/stream-name.js';
import { Problem } from '../http/problems.js';
import { AccountWriter } from '../writes/ledger-writers.js';
import type { ErrandIdentity } from './stripe-outbox.js';

/** What the customer's account says to a purchase. */
@Injectable()
export class BillingAccounts {
  constructor(private readonly accounts: AccountWriter) {}

  /** Throws the problem `account_closed`: money that is taken for a closed account would buy nothing. */
  async checkOpen(customerId: string): Promise<void> {
    const { settings } = (await this.accounts.load(accountStream(customerId, DEFAULT_UNIT))).state;
    if (settings.status === 'closed') throw new Problem('account_closed');
  }

  /** Throws the problem `idempotency_key_reused` where a command of the account itself was given the same key. */
  async checkKey({ key, intent, actor, requestId }: ErrandIdentity): Promise<void> {
    const { customerId } = intent;
    if (key === null || customerId === null) return;
    const { kind } = await this.accounts.execute({
      stream: accountStream(customerId, DEFAULT_UNIT),
      // Refused whatever the account holds, unless its key is found first.
      command: { type: 'RefuseRequest', refusal: { rejected: 'currency_unsupported' } },
      key: key.value,
      origin: 'api',
      fingerprint: key.fingerprint,
      actor,
      causationId: null,
      correlationId: requestId,
    });
    if (kind === 'key_reused') throw new Problem('idempotency_key_reused');
  }
}
