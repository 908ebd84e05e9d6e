import { beforeEach, describe, expect, test } from '@jest/globals';
import { stripeEventStream } from '#kernel/stream-name.js';
import { StripeClient } from '#stripe/operations/client.js';
import { byTest, InboxWorld } from '../../../test/support/worlds/inbox-world.js';
import { stripeEvent } from '../../../test/support/stripe/events.js';
import { LineFetcher } from './line-fetcher.js';

type Line = { readonly id: string; readonly invoice?: string; readonly [field: string]: unknown };

const invoice = stripeEvent('invoice.paid.endive').data.object as { lines: { data: Line[] } };
const planLine = invoice.lines.data[0]!;
const extra = Array.from({ length: 250 }, (_, index) => ({
  ...planLine,
  id: `il_extra_${String(index)}`,
  description: 'for jenny@example.com',
  pricing: null,
  amount: 1,
}));
/** The plan's line is the last one: whoever looks at a page only never sees it. */
const all: readonly Line[] = [...extra, planLine];
const paid = stripeEvent('invoice.paid.endive', {}, { lines: { data: all.slice(0, 10), has_more: true } });

/** Stripe's list of the lines; `down` and `refused` answer as it does then. */
class FakeStripe {
  down = false;
  forbids = false;
  refused: string | null = null;
  lines: readonly Line[] = all;
  asked = 0;

  readonly fetch = (async (address: string) => {
    await Promise.resolve();
    this.asked += 1;
    if (this.down) throw new TypeError('fetch failed');
    if (this.refused !== null || this.forbids) {
      const error = { type: 'invalid_request_error', code: this.refused ?? 'api_key_expired' };
      return new Response(JSON.stringify({ error }), { status: this.forbids ? 401 : 404 });
    }
    const { pathname, searchParams } = new URL(address);
    if (pathname !== '/v1/invoices/in_1/lines') throw new TypeError(`no ${pathname}`);
    const after = this.lines.findIndex(({ id }) => id === searchParams.get('starting_after')) + 1;
    const data = this.lines.slice(after, after + Number(searchParams.get('limit')));
    const body = { object: 'list', data, has_more: after + data.length < this.lines.length };
    return new Response(JSON.stringify(body), { status: 200 });
  }) as unknown as typeof globalThis.fetch;
}

let world: InboxWorld;
let stripe: FakeStripe;
let fetcher: LineFetcher;
const signal = new AbortController().signal;

beforeEach(async () => {
  world = new InboxWorld();
  stripe = new FakeStripe();
  const client = new StripeClient({
    secretKey: 'sk_test_1',
    apiBase: null,
    livemode: false,
    clock: world.clock,
    fetch: stripe.fetch,
  });
  fetcher = new LineFetcher({ client, handlers: world.handlers, state: world.state });
  await world.applyCatalog();
  await world.deliver(stripeEvent('checkout.session.completed.subscription.endive'));
  await world.deliver(paid);
  await world.drain();
});

const log = async () => (await world.store.readAll('', 10_000)).filter(({ stream }) => stream.includes(paid.id));

describe('an invoice with more lines than its webhook', () => {
  test('waits for them without holding up others, and ends as if all had been told at once', async () => {
    expect(await world.statusOf(paid.id)).toBe('parked: lines_incomplete');
    expect(await fetcher.runOnce(signal)).toBe(true);
    await world.drain();
    expect(await world.statusOf(paid.id)).toBe('translated');
    expect(stripe.asked).toBe(3);

    const whole = new InboxWorld();
    await whole.applyCatalog();
    await whole.deliver(stripeEvent('checkout.session.completed.subscription.endive'));
    await whole.deliver(stripeEvent('invoice.paid.endive', {}, { lines: { data: all, has_more: false } }));
    await whole.drain();
    const { invoices: _invoices, ...ledger } = await world.ledger();
    const { invoices: _whole, ...expected } = await whole.ledger();
    expect(ledger).toEqual(expected);
    expect(ledger.balance.available).toBe(500);
  });

  test('is read again from the log alone, which holds nothing of a person', async () => {
    await fetcher.runOnce(signal);
    await world.drain();
    const before = (await world.store.readAll('', 10_000)).length;
    const types = (await log()).map(({ type }) => type);
    expect(types.filter((type) => type === 'StripeInvoiceLinesFetched').length).toBe(3);
    expect(JSON.stringify(await log())).not.toContain('jenny');
    await new InboxWorld(world.store).drain(2);
    expect((await world.store.readAll('', 10_000)).length).toBe(before);
  });

  test('is not asked for again when the log is read anew while it waits for something else', async () => {
    const other = new InboxWorld();
    await other.applyCatalog();
    await other.deliver(paid);
    await other.drain();
    const client = new StripeClient({
      secretKey: 'sk_test_1',
      apiBase: null,
      livemode: false,
      clock: other.clock,
      fetch: stripe.fetch,
    });
    await new LineFetcher({ client, handlers: other.handlers, state: other.state }).runOnce(signal);
    await other.drain();
    expect(await other.statusOf(paid.id)).toBe('parked: unknown_customer');
    const length = (await other.store.readAll('', 10_000)).length;
    for (const page of [1, 2, 100]) await new InboxWorld(other.store).drain(page);
    expect((await other.store.readAll('', 10_000)).length).toBe(length);
  });

  const fetched = async () => (await log()).filter(({ type }) => type === 'StripeInvoiceLinesFetched').length;

  test('is fetched again by nobody once it is whole, also when two workers do it at once', async () => {
    await Promise.all([fetcher.runOnce(signal), fetcher.runOnce(signal)]);
    await world.drain();
    const parts = await fetched();
    const { stripeEvent: handler } = world.handlers;
    const { received } = (await handler.load(stripeEventStream(paid.id))).state;
    const { lines } = (received?.payload as unknown as { data: { object: { lines: { data: Line[] } } } }).data.object;
    expect(lines.data.map(({ id }) => id)).toEqual(all.map(({ id }) => id));
    await fetcher.runOnce(signal);
    expect(await fetched()).toBe(parts);
  });

  test('is begun again after a worker died in its midst', async () => {
    const stream = stripeEventStream(paid.id);
    const part = (from: number, lines: readonly object[], complete: boolean) =>
      world.handlers.stripeEvent.execute({
        ...byTest,
        stream,
        command: { type: 'RecordInvoiceLines', from, lines: lines as never, complete },
      });
    await part(0, all.slice(0, 100), false);
    expect((await part(200, all.slice(200), true)).kind).toBe('unchanged');
    expect(await world.statusOf(paid.id)).toBe('parked: lines_incomplete');
    await fetcher.runOnce(signal);
    await world.drain();
    expect([await world.statusOf(paid.id), await fetched()]).toEqual(['translated', 4]);
  });

  test.each([
    ['is down', () => (stripe.down = true)],
    ['does not accept the key', () => (stripe.forbids = true)],
  ])('waits while Stripe %s, and goes on by itself', async (_what, breaks) => {
    breaks();
    expect(await fetcher.runOnce(signal)).toBe(false);
    expect(await world.statusOf(paid.id)).toBe('parked: lines_incomplete');
    await world.deliver(stripeEvent('checkout.session.completed.endive'));
    await world.drain();
    expect((await world.ledger()).balance.available).toBe(2000);
    [stripe.down, stripe.forbids] = [false, false];
    await world.clock.sleep(120_000);
    expect(await fetcher.runOnce(signal)).toBe(true);
    await world.drain();
    expect((await world.ledger()).balance.available).toBe(2500);
  });

  test.each([
    ['resource_missing', () => (stripe.refused = 'resource_missing')],
    ['no_lines', () => (stripe.lines = [])],
    ['other_invoice', () => (stripe.lines = all.map((line) => ({ ...line, invoice: 'in_2' })))],
    [
      'too_many_lines',
      () => (stripe.lines = Array.from({ length: 5_101 }, (_, id) => ({ ...planLine, id: `il_${String(id)}` }))),
    ],
  ])('that Stripe does not give (%s) waits for a person, whose retry heals it', async (code, breaks) => {
    breaks();
    expect(await fetcher.runOnce(signal)).toBe(true);
    await world.drain();
    expect(await world.statusOf(paid.id)).toBe('parked: lines_refused');
    expect(world.state.parked.get(paid.id)?.detail).toContain(code);
    const asked = stripe.asked;
    await fetcher.runOnce(signal);
    expect(stripe.asked).toBe(asked);

    [stripe.refused, stripe.lines] = [null, all];
    const stream = stripeEventStream(paid.id);
    await world.handlers.stripeEvent.execute({ ...byTest, stream, command: { type: 'RequestRetry' } });
    await world.drain();
    await fetcher.runOnce(signal);
    await world.drain();
    expect(await world.statusOf(paid.id)).toBe('translated');
  });
});
