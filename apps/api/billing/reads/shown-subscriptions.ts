import { Injectable } from '@nestjs/common';
import { Clock } from '#kernel/clock.js';
import { instantOf } from '#kernel/instant.js';
import { subscriptionOf, type Subscription } from '#projections/subscriptions/queries.js';
import { Database } from '#database/database.js';
import { ApiContext } from '../../api-context.js';

/** What the read model shows as the subscription that counts for a customer now. */
@Injectable()
export class ShownSubscriptions {
  constructor(
    private readonly context: ApiContext,
    private readonly database: Database,
    private readonly clock: Clock,
  ) {}

  /** Null when there is none. */
  of(customerId: string): Promise<Subscription | null> {
    const now = instantOf(this.clock.now());
    return subscriptionOf(this.database, customerId, now, this.context.config.stripe.gracePeriodDays);
  }
}
