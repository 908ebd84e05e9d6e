import { DAY, HOUR } from '../../processes/running-sandbox.js';
import type { Scene } from '../scenes.js';

/** Trials whose end is moved, or that end with their subscription. The plan gives 50 credits to try, the free one 100. */
export const trialScenes: readonly Scene[] = [
  {
    flow: 'trial moved',
    name: 'to a later end, after a part of its credits was used',
    act: async (shop) => {
      const made = await shop.subscribe('starter.month', { trial_period_days: 14 });
      await shop.advance(2 * DAY);
      await shop.consume(20);
      await shop.stripe.subscriptions.update(made.id, { trial_end: shop.now + 19 * DAY });
      await shop.advance(3 * DAY);
    },
    ends: { credits: '30 0 0', subscription: 'starter trialing entitled' },
  },
  {
    flow: 'trial moved',
    name: 'several times, also within one second',
    act: async (shop) => {
      const { id } = await shop.subscribe('starter.month', { trial_period_days: 14 });
      for (const days of [3, 30, 20]) await shop.stripe.subscriptions.update(id, { trial_end: shop.now + days * DAY });
      await shop.advance(16 * DAY);
    },
    ends: { credits: '50 0 0', subscription: 'starter trialing entitled' },
  },
  {
    flow: 'trial moved',
    name: 'to the present: it is paid for',
    act: async (shop) => {
      const made = await shop.subscribe('starter.month', { trial_period_days: 14 });
      await shop.advance(5 * DAY);
      await shop.stripe.subscriptions.update(made.id, { trial_end: 'now' });
      await shop.advance(HOUR);
    },
    ends: { credits: '500 0 0', subscription: 'starter active entitled', invoices: ['paid', 'paid'] },
  },
  {
    flow: 'trial moved',
    name: 'for who pays already: the month stays as it was paid, and no trial is given',
    act: async (shop) => {
      const made = await shop.subscribe('starter.month');
      await shop.advance(10 * DAY);
      const end = { trial_end: shop.now + 40 * DAY, proration_behavior: 'none' } as const;
      await shop.stripe.subscriptions.update(made.id, end);
    },
    ends: { credits: '500 0 0', subscription: 'starter trialing entitled' },
  },
  {
    flow: 'ended',
    name: 'within a trial: what is left of its credits ends with it',
    act: async (shop) => {
      const made = await shop.subscribe('starter.month', { trial_period_days: 14 });
      await shop.advance(5 * DAY);
      await shop.stripe.subscriptions.cancel(made.id);
    },
    ends: { credits: '100 0 0', subscription: 'free active entitled' },
  },
];
