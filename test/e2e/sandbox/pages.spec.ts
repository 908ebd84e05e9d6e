import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Browser } from 'playwright-core';
import type Stripe from 'stripe';
import { browserPath, startBrowser } from '../../support/processes/browser.js';
import { DAY, HOUR, SandboxWorld } from '../../support/processes/running-sandbox.js';

const withinMs = 90_000;
const describeInBrowser = browserPath === null ? describe.skip : describe;

const longName = 'One thousand credits that never expire, for everybody in the team and whoever joins it';

type Sessions = Stripe.Checkout.SessionCreateParams;
type Flow = Stripe.BillingPortal.SessionCreateParams.FlowData;

/** Every page in every state that changes what is on it, by name. */
async function pagesOf(world: SandboxWorld): Promise<ReadonlyMap<string, string>> {
  await world.reset();
  const { stripe } = world;
  const month = await stripe.prices.create({
    currency: 'usd',
    unit_amount: 2000,
    recurring: { interval: 'month' },
    product_data: { name: longName },
  });
  const year = await world.price(123_456_789, 'year');
  const late = await world.subscription(month);
  const bad = await stripe.paymentMethods.attach('pm_card_chargeCustomerFail', { customer: String(late.customer) });
  const settings = { invoice_settings: { default_payment_method: bad.id } };
  await stripe.customers.update(String(late.customer), settings);
  await world.advance(31 * DAY + 2 * HOUR);

  const checkout = async (more: Sessions): Promise<string> => {
    const urls = { success_url: 'http://127.0.0.1/ok', cancel_url: 'http://127.0.0.1/no' };
    return (await stripe.checkout.sessions.create({ ...urls, ...more })).url!;
  };
  const portal = async (customer: unknown, flow_data?: Flow): Promise<string> =>
    (
      await stripe.billingPortal.sessions.create({
        customer: String(customer),
        return_url: 'http://127.0.0.1/ok',
        ...(flow_data === undefined ? {} : { flow_data }),
      })
    ).url;
  const product_data = { name: longName };
  const pack = { line_items: [{ quantity: 3, price_data: { currency: 'usd', unit_amount: 8000, product_data } }] };
  const euro = {
    line_items: [{ quantity: 1, price_data: { currency: 'eur', unit_amount: 99_999_999, product_data } }],
  };
  const plan: Sessions = { mode: 'subscription', line_items: [{ price: month.id }] };
  const coupon = (await stripe.coupons.create({ percent_off: 25, duration: 'forever' })).id;
  const one = await world.subscription(month);
  const { id: subscription, customer } = one;
  await stripe.subscriptions.create({ customer: String(customer), items: [{ price: year.id, quantity: 3 }] });
  const ends = await world.subscription(month);
  await stripe.subscriptions.update(ends.id, { cancel_at_period_end: true });
  const expired = await stripe.checkout.sessions.create({ mode: 'payment', success_url: 'http://127.0.0.1/', ...pack });
  await stripe.checkout.sessions.expire(expired.id);
  const asks = await stripe.setupIntents.create({ payment_method: 'pm_card_authenticationRequired', confirm: true });
  const item = one.items.data[0]!.id;
  const confirm = { subscription, items: [{ id: item, price: year.id }] };
  return new Map([
    ['a pack', await checkout({ mode: 'payment', allow_promotion_codes: true, ...pack })],
    ['a plan', await checkout(plan)],
    ['a discounted plan', await checkout({ ...plan, discounts: [{ coupon }] })],
    ['a trial', await checkout({ ...plan, subscription_data: { trial_period_days: 14 } })],
    ['card or debit', await checkout({ mode: 'payment', ...euro })],
    ['a card to save', await checkout({ mode: 'setup', currency: 'usd' })],
    ['an expired session', `${world.sandbox.url}/c/pay/${expired.id}`],
    ['3D Secure', asks.next_action!.redirect_to_url!.url!],
    ['a portal without plans', await portal((await world.customer()).id)],
    ['a portal with two plans', await portal(customer)],
    ['a portal with a plan that ends', await portal(ends.customer)],
    ['a portal past due', await portal(late.customer)],
    [
      'an open invoice',
      (await stripe.invoices.list({ subscription: late.id, status: 'open' })).data[0]!.hosted_invoice_url!,
    ],
    ['a cancellation', await portal(customer, { type: 'subscription_cancel', subscription_cancel: { subscription } })],
    [
      'a choice of plans',
      await portal(customer, { type: 'subscription_update', subscription_update: { subscription } }),
    ],
    ['a change', await portal(customer, { type: 'subscription_update_confirm', subscription_update_confirm: confirm })],
    ['another card', await portal(customer, { type: 'payment_method_update' })],
    ['what the sandbox holds', world.sandbox.url],
  ]);
}

/**
 * What is wrong with a page, looked at in the page: it moves sideways, cuts something off, has a field without a label, a
 * button or link without a name, no heading, or text that is too pale (WCAG AA).
 */
const faultsOf = `(() => {
  const faults = [];
  const wide = document.documentElement.clientWidth;
  if (document.documentElement.scrollWidth > wide) faults.push('moves sideways');
  if (document.querySelectorAll('h1').length !== 1) faults.push('has not one heading');
  const rgb = (text) => (text.match(/[\\d.]+/g) ?? []).map(Number);
  const light = ([r, g, b]) => {
    const part = (c) => (c / 255 <= 0.03928 ? c / 255 / 12.92 : ((c / 255 + 0.055) / 1.055) ** 2.4);
    return 0.2126 * part(r) + 0.7152 * part(g) + 0.0722 * part(b);
  };
  const ground = (element) => {
    for (let at = element; at !== null; at = at.parentElement) {
      const color = rgb(getComputedStyle(at).backgroundColor);
      if (color.length === 3 || color[3] > 0) return color;
    }
    return [255, 255, 255];
  };
  for (const element of document.querySelectorAll('main *, header *')) {
    if (!element.checkVisibility()) continue;
    const name = element.tagName.toLowerCase() + ' ' + (element.textContent ?? '').trim().slice(0, 30);
    const style = getComputedStyle(element);
    if (element.getBoundingClientRect().right > wide + 1) faults.push('cut off: ' + name);
    if (element.tagName === 'SELECT' && element.scrollWidth > element.clientWidth) faults.push('cut off: ' + name);
    if (element.matches('input:not([type=hidden])') && element.labels.length === 0) faults.push('no label: ' + element.name);
    if (element.matches('button, a, summary') && (element.textContent ?? '').trim() === '') faults.push('no name: ' + name);
    const says = [...element.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim() !== '');
    if (!says || element.matches(':disabled')) continue;
    const [a, b] = [light(rgb(style.color)), light(ground(element))].sort((x, y) => y - x);
    if ((a + 0.05) / (b + 0.05) < 4.5) faults.push('too pale: ' + name + ' ' + style.color);
  }
  return faults;
})()`;

describeInBrowser('every page of the sandbox', () => {
  let world: SandboxWorld;
  let browser: Browser;
  let pages: ReadonlyMap<string, string>;

  beforeAll(async () => {
    [world, browser] = await Promise.all([SandboxWorld.start(), startBrowser()]);
    pages = await pagesOf(world);
  }, withinMs);
  afterAll(async () => {
    await browser.close();
    await world.close();
  });

  it.each([
    [1280, 'light'],
    [390, 'light'],
    [390, 'dark'],
  ] as const)(
    'can be read and used at %d pixels, %s, without scripts',
    async (width, colorScheme) => {
      const viewport = { width, height: 800 };
      const context = await browser.newContext({ viewport, colorScheme, javaScriptEnabled: false });
      const page = await context.newPage();
      page.setDefaultTimeout(10_000);
      const found: Record<string, unknown> = {};
      for (const [name, url] of pages) {
        await page.goto(url);
        for (const closed of await page.locator('details > summary').all()) await closed.click();
        found[name] = await page.evaluate(faultsOf);
      }
      await context.close();
      expect(found).toEqual(Object.fromEntries([...pages.keys()].map((name) => [name, []])));
    },
    withinMs,
  );

  it(
    'lets a plan be chosen and changed by keyboard alone, and nothing happens before it is confirmed',
    async () => {
      const standing = async (): Promise<string> => JSON.stringify((await world.stripe.subscriptions.list()).data);
      const before = await standing();
      const page = await browser.newPage({ javaScriptEnabled: false });
      await page.goto(pages.get('a choice of plans')!);
      const focused = page.locator(':focus');
      for (let presses = 0; presses < 10; presses += 1) {
        await page.keyboard.press('Tab');
        if ((await focused.getAttribute('type')) === 'radio') break;
      }
      expect(await focused.isChecked()).toBe(true);
      await page.keyboard.press('Enter');
      expect(await page.getByRole('heading').textContent()).toContain('Change to Plan 123456789?');
      expect(await standing()).toBe(before);
      await page.getByRole('button', { name: 'Change plan' }).focus();
      await page.keyboard.press('Enter');
      await page.getByRole('status').waitFor();
      expect(await standing()).not.toBe(before);
      await page.close();
    },
    withinMs,
  );
});
