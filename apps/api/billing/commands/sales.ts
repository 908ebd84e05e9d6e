import { Injectable } from '@nestjs/common';
import { catalogStream } from '#kernel/stream-name.js';
import { saleOf, type Sale, type CheckoutOrder } from '#stripe/operations/checkout.js';
import type { StripeClient } from '#stripe/operations/client.js';
import { Problem } from '../../http/problem.js';
import { CatalogReader } from '../../writes/ledger-writers.js';
import type { OnBehalfOf } from '../stripe/outbox.js';
import { StripeSubscriptions } from '../stripe/subscriptions.js';

/** What is sold to whom. */
@Injectable()
export class Sales {
  constructor(
    private readonly catalog: CatalogReader,
    private readonly subscriptions: StripeSubscriptions,
  ) {}

  /** What the catalogue sells for an order. Throws Problem. */
  async of(order: CheckoutOrder): Promise<Sale> {
    const sale = saleOf(order, (await this.catalog.load(catalogStream)).state);
    if ('rejected' in sale) throw new Problem(sale.rejected);
    return sale;
  }

  /**
   * A sale as this customer gets it: one subscription each, whoever of its Stripe customers pays it, and a trial only for who never had
   * one. Throws Problem.
   */
  async to(behalf: OnBehalfOf, sale: Sale, client: StripeClient): Promise<Sale> {
    if (sale.mode !== 'subscription') return sale;
    if ((await this.subscriptions.running(behalf, client)) !== null) throw new Problem('already_subscribed');
    if (sale.trialDays === null) return sale;
    return (await this.subscriptions.hadAny(behalf, client)) ? { ...sale, trialDays: null } : sale;
  }
}
