import { createHmac } from 'node:crypto';
import type { Job, Requests } from './job.js';

/** Makes the text of the n-th request of a job. Customers are drawn evenly from a fixed seed, or taken in turn. */
export function requestMaker(job: Job): (n: number) => string {
  const random = seeded(0x5c_21_b0_07);
  const common = `Host: ${job.host}:${String(job.port)}\r\nAuthorization: Bearer ${job.apiKey}\r\n`;
  const { requests } = job;
  const customer = (): string => `${requests.customerPrefix}${String(random(requests.customers))}`;
  switch (requests.kind) {
    case 'consume':
      return (n) =>
        post(
          `/v1/customers/${customer()}/consumptions`,
          `${common}Idempotency-Key: ${requests.keyPrefix}${String(n)}\r\n`,
          consumption(requests.scopes?.[n % requests.scopes.length]),
        );
    case 'usage':
      return (n) =>
        post(
          `/v1/customers/${customer()}/usage`,
          `${common}Idempotency-Key: ${requests.keyPrefix}${String(n)}\r\n`,
          `{"feature":"${requests.feature}"}`,
        );
    case 'bulk':
      return (n) => {
        const commands = Array.from(
          { length: requests.commands },
          (_, i) =>
            `{"type":"consume","customerId":"${customer()}","idempotencyKey":"${requests.keyPrefix}${String(n)}-${String(i)}","amount":1}`,
        );
        return post('/v1/commands', common, `{"commands":[${commands.join(',')}]}`);
      };
    case 'balance':
      return () => `GET /v1/customers/${customer()}/balance${requests.suffix} HTTP/1.1\r\n${common}\r\n`;
    case 'webhook':
      return (n) => webhook(requests, n, job);
  }
}

const consumption = (scope: string | undefined): string =>
  scope === undefined ? '{"amount":1}' : `{"amount":1,"scope":"${scope}"}`;

function post(path: string, headers: string, body: string): string {
  return `POST ${path} HTTP/1.1\r\n${headers}Content-Type: application/json\r\nContent-Length: ${String(body.length)}\r\n\r\n${body}`;
}

/** A paid checkout of one credit product, as Stripe reports it; every event its own session and payment. */
function webhook(requests: Extract<Requests, { kind: 'webhook' }>, n: number, job: Job): string {
  const id = `${requests.idPrefix}${String(n)}`;
  const customer = `${requests.customerPrefix}${String(n % requests.customers)}`;
  const seconds = Math.floor(Date.now() / 1000);
  const body = JSON.stringify({
    id: `evt_${id}`,
    object: 'event',
    api_version: '2025-09-30.clover',
    created: seconds,
    livemode: false,
    type: 'checkout.session.completed',
    data: {
      object: {
        id: `cs_${id}`,
        object: 'checkout.session',
        mode: 'payment',
        payment_status: 'paid',
        status: 'complete',
        created: seconds,
        amount_total: 1000,
        currency: 'usd',
        customer: null,
        client_reference_id: customer,
        payment_intent: `pi_${id}`,
        livemode: false,
        metadata: { customer_id: customer, credits: '100' },
      },
    },
  });
  const signature = createHmac('sha256', requests.secret)
    .update(`${String(seconds)}.${body}`)
    .digest('hex');
  return post(
    '/v1/webhooks/stripe',
    `Host: ${job.host}:${String(job.port)}\r\nStripe-Signature: t=${String(seconds)},v1=${signature}\r\n`,
    body,
  );
}

/** xorshift32: the same customers in the same order in every run. */
function seeded(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
}
