import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { browserPath, startBrowser } from '../../support/processes/browser.js';
import { eventually } from '../../support/eventually.js';
import { Installation, place } from '../../support/processes/installation.js';

const describeInBrowser = browserPath === null ? describe.skip : describe;
// Nobody should take silence for a pass.
if (browserPath === null) console.warn('SKIPPED: this machine has no Chromium (CHROMIUM names one elsewhere)');

describeInBrowser('a person with a browser', () => {
  let at: Awaited<ReturnType<typeof place>>;
  let up: Installation;
  let browser: Browser;
  let context: BrowserContext;
  let page: Page;

  beforeAll(async () => {
    at = await place();
    [up, browser] = await Promise.all([Installation.start(at.variables), startBrowser()]);
  });

  afterAll(async () => {
    await browser.close();
    await up.stop();
    await at.remove();
  });

  beforeEach(async () => {
    context = await browser.newContext();
    page = await context.newPage();
    page.setDefaultTimeout(60_000);
  });
  afterEach(() => context.close());

  let requests = 0;
  const ask = async (path: string, body: object): Promise<string> => {
    const { status, body: answer } = await up.call('POST', path, body, `ask-${String((requests += 1))}`);
    expect({ status, answer }).toMatchObject({ status: 201 });
    return answer['url']!;
  };
  const buy = (customer: string, what: object): Promise<string> =>
    ask(`/customers/${customer}/checkout-sessions`, what);
  const pack = { mode: 'credits', creditProduct: 'pack-1000' };
  const plan = (id: string) => ({ mode: 'subscription', plan: id, interval: 'month' });
  const read = async (path: string) => (await up.call('GET', path, null, 'read')).body;
  const available = async (customer: string): Promise<unknown> =>
    (await read(`/customers/${customer}/balance`))['available'];

  const typeCard = async (number: string): Promise<void> => {
    await page.getByLabel('Card number').fill(number);
    await page.getByLabel('Expires').fill('12 / 34');
    await page.getByLabel('Security code').fill('123');
  };
  const press = (name: string): Promise<void> => page.getByRole('button', { name, exact: true }).click();
  const subscribe = async (customer: string, id: string): Promise<void> => {
    await page.goto(await buy(customer, plan(id)));
    await typeCard('4242 4242 4242 4242');
    await press(id === 'enterprise' ? 'Subscribe' : 'Start trial');
    await page.getByRole('heading', { name: 'Thank you' }).waitFor();
  };

  it('buys a pack by keyboard alone, and has its credits', async () => {
    await page.goto(await buy('acme', pack));
    expect(await page.getByRole('heading', { name: '1,000 credits' }).isVisible()).toBe(true);
    await page.getByLabel('Card number').focus();
    const { keyboard } = page;
    for (const text of ['4242424242424242', '1234', '123', 'Ada Lovelace']) {
      await keyboard.type(text);
      await keyboard.press('Tab');
    }
    await keyboard.press('Enter'); // on the button that pays
    await page.getByRole('heading', { name: 'Thank you' }).waitFor();
    expect(await page.getByText('Delivered').count()).toBeGreaterThan(0);
    await eventually(
      () => available('acme'),
      (credits) => credits === 1000,
    );
    await page.goBack();
    await page.reload();
    expect(await page.getByRole('heading').textContent()).toBe('This checkout is complete');
  });

  it('is told of a declined card and of a wrong one, beside what was typed, and pays with another', async () => {
    await page.goto(await buy('declined', pack));
    await typeCard('4000000000000002');
    await press('Pay $80.00');
    expect(await page.getByRole('alert').textContent()).toContain('declined');
    await typeCard('4242 4242 4242 4241');
    await press('Pay $80.00');
    const number = page.getByLabel('Card number');
    expect(await number.getAttribute('aria-invalid')).toBe('true');
    expect(await number.inputValue()).toBe('4242 4242 4242 4241');
    expect(await number.evaluate((input) => input === input.ownerDocument.activeElement)).toBe(true);
    expect(await available('declined')).toBe(0);
    await typeCard('4242424242424242');
    await press('Pay $80.00');
    await page.getByRole('heading', { name: 'Thank you' }).waitFor();
    await eventually(
      () => available('declined'),
      (credits) => credits === 1000,
    );
  });

  it('confirms a card with 3D Secure, after it has failed to once', async () => {
    await page.goto(await buy('secure', pack));
    await typeCard('4000002760003184');
    await press('Pay $80.00');
    await press('Fail authentication');
    expect(await page.getByRole('alert').textContent()).toContain('unable to authenticate');
    await typeCard('4000002760003184');
    await press('Pay $80.00');
    expect(await page.getByRole('heading').textContent()).toBe('Confirm $80.00');
    await press('Complete authentication');
    await page.getByRole('heading', { name: 'Thank you' }).waitFor();
    await eventually(
      () => available('secure'),
      (credits) => credits === 1000,
    );
  });

  it('goes back without paying', async () => {
    await page.goto(await buy('shy', pack));
    await page.getByRole('link', { name: 'Back without paying' }).click();
    expect(await page.getByRole('heading').textContent()).toBe('You are back');
    expect(await available('shy')).toBe(0);
  });

  it('buys a plan; changes, cancels and resumes it in the portal, and saves another card there', async () => {
    await subscribe('planner', 'enterprise');
    await eventually(
      () => available('planner'),
      (credits) => credits === 100_000,
    );
    await page.goto(await ask('/customers/planner/portal-sessions', {}));
    expect(await page.getByRole('region', { name: 'Plan' }).textContent()).toContain('$499.00 / month');

    const standing = async (): Promise<unknown> => (await read('/customers/planner/subscription'))['cancelAt'];
    await page.getByRole('link', { name: 'Cancel plan' }).click();
    expect(await standing()).toBe(null);
    await press('Cancel plan');
    expect(await page.getByRole('status').textContent()).toContain('cancelled');
    await eventually(standing, (ends) => typeof ends === 'string');
    await press("Don't cancel plan");
    await eventually(standing, (ends) => ends === null);

    await page.getByRole('link', { name: 'Update plan' }).click();
    await page.getByLabel('Pro $49.00 / month').check();
    await press('Continue');
    expect(await page.getByRole('heading').textContent()).toBe('Change to Pro?');
    await press('Change plan');
    expect(await page.getByRole('region', { name: 'Plan' }).textContent()).toContain('$49.00 / month');
    await eventually(
      async () => (await read('/customers/planner/subscription'))['plan'],
      (current) => current?.['id'] === 'pro',
    );

    await page.getByText('Use another card').click();
    await typeCard('4000000000000002');
    await press('Save card');
    expect(await page.getByRole('alert').textContent()).toContain('declined');
    await typeCard('5555 5555 5555 4444');
    await press('Save card');
    expect(await page.getByRole('region', { name: 'Payment method' }).textContent()).toContain('ending in 4444');
    expect(await page.getByRole('region', { name: 'Invoices' }).getByRole('link').count()).toBe(2);
    await page.getByRole('link', { name: 'Return' }).click();
    expect(await page.getByRole('heading').textContent()).toBe('You are back');
  });

  it('starts a trial that costs nothing yet', async () => {
    await subscribe('trier', 'starter');
    await eventually(
      async () => (await read('/customers/trier/subscription'))['status'],
      (status) => status === 'trialing',
    );
    expect(await read('/customers/trier/payments')).toMatchObject({ data: [] });
  });

  it('reads every page on a telephone without moving it sideways', async () => {
    await page.setViewportSize({ width: 360, height: 740 });
    const checkout = await buy('phone', pack);
    const portal = await ask('/customers/planner/portal-sessions', {});
    const { origin } = new URL(checkout);
    for (const url of [checkout, portal, origin, `${origin}/c/pay/none`, `${origin}/return`, `${up.url}/docs`]) {
      await page.goto(url);
      const beyond = await page.evaluate('document.documentElement.scrollWidth - innerWidth');
      expect([url, beyond]).toEqual([url, 0]);
    }
    expect(await page.getByText('/v1/customers/{customerId}/grants').first().isVisible()).toBe(true);
  });

  it("has payments declined and a month pass on the sandbox's own page", async () => {
    await subscribe('renewer', 'enterprise');
    const { origin } = new URL(page.url());
    await page.goto(origin);
    await press('Decline the next payment');
    expect(await page.getByText('Payments made to fail: 1.').count()).toBe(1);
    await page.goto(await buy('unlucky', pack));
    await typeCard('4242424242424242');
    await press('Pay $80.00');
    expect(await page.getByRole('alert').textContent()).toContain('declined');

    await page.goto(origin);
    for (const jump of ['+ 1 month', '+ 1 day']) await press(jump); // an invoice is a draft for an hour
    await page.goto(await ask('/customers/renewer/portal-sessions', {}));
    expect(await page.getByRole('region', { name: 'Invoices' }).getByText('Paid').count()).toBe(2);
  });
});
