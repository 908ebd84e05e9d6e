import { Injectable } from '@nestjs/common';
import { takeBillingRequest } from '#read-store/billing-requests.js';
import { ReadDatabase } from '#read-store/read-database.js';
import { Problem } from '../http/problems.js';

/** At most five requests a minute for each customer and route that leads to a page of Stripe, whatever process they come to. */
@Injectable()
export class BillingRate {
  constructor(private readonly database: ReadDatabase) {}

  /** Counts a request. Throws the problem `rate_limited` with the time until the next one is taken. */
  async take(route: 'checkout' | 'portal', customerId: string): Promise<void> {
    const wait = await takeBillingRequest(this.database, `${route} ${customerId}`);
    if (wait > 0) throw new Problem('rate_limited', {}, Math.ceil(wait / 1000));
  }
}
