/**
 * A program as a caller writes it, against types that openapi-typescript makes from /openapi.json (`schema.d.ts` beside it).
 * `openapi-clients.spec.ts` compiles it and runs it against a server. It ends with what it found, as JSON.
 */
import createClient from 'openapi-fetch';
import type { components, paths } from './schema.js';

type BulkCommand = components['schemas']['BulkCommand'];

const [baseUrl = '', apiKey = ''] = process.argv.slice(2);
const client = createClient<paths>({ baseUrl, headers: { authorization: `Bearer ${apiKey}` } });
const customerId = 'typed-client';
const path = { customerId };

const keyed = (key: string) => ({ path, header: { 'Idempotency-Key': key } });

function needed<Value>(value: Value | undefined): Value {
  if (value === undefined) throw new Error('there is no answer');
  return value;
}

const buy = () =>
  client.POST('/v1/customers/{customerId}/grants', {
    params: keyed('grant'),
    body: { amount: 100, source: 'purchase', costBasis: { amount: 1999, currency: 'usd' } },
  });
const grant = needed((await buy()).data);
const again = await buy();

const consumed = await client.POST('/v1/customers/{customerId}/consumptions', {
  params: keyed('consume'),
  body: { amount: 5, resource: { type: 'lead', id: 'lead-1' } },
});
const priced = await client.POST('/v1/customers/{customerId}/consumptions', {
  params: keyed('consume-event'),
  body: { creditEvent: 'api_call', quantity: 2 },
});

/** The problem of a refusal, by its code: each has its own members. */
async function overspend(): Promise<{ missing: number; unit: string } | string> {
  const { error } = await client.POST('/v1/customers/{customerId}/consumptions', {
    params: keyed('overspend'),
    body: { amount: 1000 },
  });
  if (error === undefined) return 'nothing was refused';
  switch (error.code) {
    case 'insufficient_credits':
      return { missing: error.required - error.available, unit: error.unit };
    case 'invalid_request':
      return error.errors.map(({ field, message }) => `${field} ${message}`).join();
    default:
      return error.title;
  }
}

const held = await client.POST('/v1/customers/{customerId}/holds', { params: keyed('hold'), body: { amount: 20 } });
const hold = needed(held.data);
const captured = await client.POST('/v1/customers/{customerId}/holds/{holdId}/captures', {
  params: { path: { customerId, holdId: hold.id }, header: { 'Idempotency-Key': 'capture' } },
  body: { amount: 12 },
});

const commands: BulkCommand[] = [
  { type: 'grant', customerId, idempotencyKey: 'bulk-1', amount: 10, source: 'promotion' },
  { type: 'consume', customerId, idempotencyKey: 'bulk-2', amount: 3 },
  { type: 'consume', customerId, idempotencyKey: 'bulk-3', creditEvent: 'api_call' },
  { type: 'consume', customerId, idempotencyKey: 'bulk-4', amount: 100_000 },
];
const bulk = needed((await client.POST('/v1/commands', { body: { commands } })).data);
const results = bulk.results.map((result) => {
  if (result.status === 201) return 'balance' in result.body ? result.body.balance.available : result.body.quantity;
  return result.body.code === 'insufficient_credits' ? result.body.required : result.body.code;
});

const last = needed(bulk.results.findLast((result) => result.status === 201)).body;
const movements: string[] = [];
let cursor: string | null = null;
do {
  const page = await client.GET('/v1/customers/{customerId}/history', {
    params: {
      path,
      query: { limit: 3, minPosition: needed(last.position), waitMs: 10_000, ...(cursor === null ? {} : { cursor }) },
    },
  });
  const history: components['schemas']['History'] = needed(page.data);
  movements.push(...history.data.map(({ type, amount }) => `${type} ${String(amount)}`));
  cursor = history.nextCursor;
} while (cursor !== null);

console.log(
  JSON.stringify({
    granted: grant.remaining,
    consumed: needed(consumed.data).balance.available,
    priced: needed(priced.data).amount,
    replayed: again.response.headers.get('idempotent-replayed'),
    refused: await overspend(),
    captured: needed(captured.data).consumptionId?.startsWith('con_'),
    results,
    movements,
  }),
);
