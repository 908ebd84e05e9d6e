import type Stripe from 'stripe';
import { DAY } from '../../processes/running-sandbox.js';
import type { Shop } from '../shop.js';
import type { Scene } from '../scenes.js';

/** Uses a credit, so that what follows is reported as a part of its own, and all its orders are tried. */
async function subscribedBefore(shop: Shop, ago = DAY): Promise<Stripe.Subscription> {
  const made = await shop.subscribe('starter.month');
  await shop.advance(ago);
  await shop.consume(1);
  return made;
}

/** Stripe reports whole seconds: these changes all carry the same one. */
export const withinOneSecond: readonly Scene[] = [
  {
    flow: 'cancellation scheduled, undone',
    name: 'within one second',
    act: async (shop) => {
      const { id } = await subscribedBefore(shop);
      await shop.stripe.subscriptions.update(id, { cancel_at_period_end: true });
      await shop.stripe.subscriptions.update(id, { cancel_at_period_end: false });
    },
    ends: { credits: '499 0 0', subscription: 'starter active entitled' },
  },
  {
    flow: 'cancellation scheduled, undone',
    name: 'and scheduled again, twice, within one second',
    act: async (shop) => {
      const { id } = await subscribedBefore(shop);
      for (const cancel_at_period_end of [true, false, true, false, true])
        await shop.stripe.subscriptions.update(id, { cancel_at_period_end });
    },
    ends: { credits: '499 0 0', subscription: 'starter active entitled cancels' },
  },
  {
    flow: 'cancellation scheduled, undone',
    name: 'in the second in which it is bought',
    act: async (shop) => {
      const { id } = await shop.subscribe('starter.month');
      await shop.stripe.subscriptions.update(id, { cancel_at_period_end: true });
      await shop.stripe.subscriptions.update(id, { cancel_at_period_end: false });
    },
    ends: { credits: '500 0 0', subscription: 'starter active entitled' },
  },
  {
    flow: 'cancellation scheduled, undone',
    name: "on the portal's page, again and again within one second, the plan changed meanwhile",
    act: async (shop) => {
      const made = await subscribedBefore(shop, 0);
      const { url } = await shop.stripe.billingPortal.sessions.create({ customer: String(made.customer) });
      const price = shop.price('pro.month');
      for (const action of ['cancel', 'resume', 'cancel', 'resume', 'change', 'cancel', 'resume', 'cancel']) {
        const { status } = await shop.world.post(url, { action, subscription: made.id, price });
        if (status !== 303) throw new Error(`the portal answers ${String(status)} to ${action}`);
      }
    },
    ends: { credits: '1999 0 0', subscription: 'pro active entitled cancels' },
  },
  {
    flow: 'month to year and back',
    name: 'in the second in which it is bought',
    act: async (shop) => {
      const made = await shop.subscribe('starter.month');
      await shop.change(made, { price: 'starter.year' });
    },
    ends: { credits: '500 0 0', subscription: 'starter active entitled', invoices: ['paid', 'paid'] },
  },
  {
    flow: 'upgrade, more seats',
    name: 'with a new period, in the second in which it is bought',
    act: async (shop) => {
      const made = await shop.subscribe('starter.month');
      await shop.change(made, { price: 'pro.month' }, { billing_cycle_anchor: { type: 'now' } });
    },
    ends: { credits: '2000 0 0', subscription: 'pro active entitled', invoices: ['paid', 'paid'] },
  },
  {
    flow: 'upgrade, more seats',
    name: 'of a month that a coupon pays',
    act: async (shop) => {
      const coupon = await shop.stripe.coupons.create({ percent_off: 100, duration: 'once' });
      const made = await shop.subscribe('starter.month', { discounts: [{ coupon: coupon.id }] });
      await shop.change(made, { price: 'pro.month' });
    },
    ends: { credits: '2000 0 0', subscription: 'pro active entitled', invoices: ['paid', 'paid'] },
  },
  {
    flow: 'upgrade, more seats',
    name: 'and cancelled at the end, within one second',
    act: async (shop) => {
      const made = await subscribedBefore(shop);
      await shop.change(made, { price: 'pro.month' }, { proration_behavior: 'none' });
      await shop.stripe.subscriptions.update(made.id, { cancel_at_period_end: true });
    },
    ends: { credits: '499 0 0', subscription: 'pro active entitled cancels' },
  },
  {
    flow: 'downgrade',
    name: 'to seats and back, and a cancellation meanwhile, within one second',
    act: async (shop) => {
      const made = await subscribedBefore(shop);
      const free = { proration_behavior: 'none' } as const;
      await shop.change(made, { quantity: 3 }, free);
      await shop.stripe.subscriptions.update(made.id, { cancel_at: shop.now + 10 * DAY });
      await shop.change(made, { price: 'pro.month', quantity: 2 }, free);
      await shop.stripe.subscriptions.update(made.id, { cancel_at: '' });
      await shop.change(made, { price: 'starter.month', quantity: 1 }, free);
    },
    ends: { credits: '499 0 0', subscription: 'starter active entitled' },
  },
  {
    flow: 'paused, resumed',
    name: 'within one second, and cancelled at the end',
    act: async (shop) => {
      const { id } = await subscribedBefore(shop);
      const behavior = 'void' as const;
      await shop.stripe.subscriptions.update(id, { pause_collection: { behavior } });
      await shop.stripe.subscriptions.update(id, { pause_collection: '' });
      await shop.stripe.subscriptions.update(id, { cancel_at_period_end: true });
    },
    ends: { credits: '499 0 0', subscription: 'starter active entitled cancels' },
  },
  {
    flow: 'paused, resumed',
    name: 'by request, within one second',
    act: async (shop) => {
      const { id } = await subscribedBefore(shop);
      await shop.stripe.subscriptions.pause(id);
      await shop.stripe.subscriptions.resume(id);
    },
    ends: { credits: '999 0 0', subscription: 'starter active entitled' },
  },
];
