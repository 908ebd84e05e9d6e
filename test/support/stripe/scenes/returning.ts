import { HOUR } from '../../processes/running-sandbox.js';
import type { Scene } from '../scenes.js';

/** Who leaves and comes back at once: whether a free month is given meanwhile depends on when the worker works; these scenes are played without one. */
export const returningScenes: readonly Scene[] = [
  {
    flow: 'ended',
    name: 'at once with its rest paid back, and subscribed again',
    act: async (shop) => {
      const { id, customer } = await shop.subscribe('starter.month');
      await shop.advance(HOUR);
      await shop.stripe.subscriptions.cancel(id, { prorate: true, invoice_now: true });
      const items = [{ price: shop.price('starter.month') }];
      await shop.stripe.subscriptions.create({ customer: String(customer), items });
    },
    ends: { credits: '501 0 0', subscription: 'starter active entitled' },
  },
];
