import { Injectable } from '@nestjs/common';
import { accountStream, DEFAULT_UNIT } from '#kernel/stream-name.js';
import { takeBillingRequest } from '#records/billing-requests.js';
import { Database } from '#database/database.js';
import { Problem } from '../../http/problem.js';
import { AccountWriter } from '../../writes/ledger-writers.js';
import { StripeOutbox, type CallIdentity } from '../stripe/outbox.js';

/** What must be so before Stripe is asked for anything that is paid for. */
@Injectable()
export class BillingChecks {
  constructor(
    private readonly accounts: AccountWriter,
    private readonly database: Database,
    private readonly outbox: StripeOutbox,
  ) {}

  /** Throws the problem `account_closed`: money that is taken for a closed account would buy nothing. */
  async isOpen(customerId: string): Promise<void> {
    const { settings } = (await this.accounts.load(accountStream(customerId, DEFAULT_UNIT))).state;
    if (settings.status === 'closed') throw new Problem('account_closed');
  }

  /**
   * Counts a request that leads to a page of Stripe: at most five a minute are taken for each customer and route, whatever process they
   * come to. What was begun before, and is finished now, was counted then. Throws the problem `rate_limited` with the time to wait.
   */
  async isInTurn(route: 'checkout' | 'portal', customerId: string, call: CallIdentity): Promise<void> {
    if (await this.outbox.wasIntended(call)) return;
    const wait = await takeBillingRequest(this.database, `${route} ${customerId}`);
    if (wait > 0) throw new Problem('rate_limited', {}, Math.ceil(wait / 1000));
  }
}
