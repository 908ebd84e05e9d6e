import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { ApiAnswer, ApiClient } from '../../support/api/client.js';
import { eventually } from '../../support/eventually.js';
import { runCli } from '../../support/processes/cli.js';
import type { NodeProcess } from '../../support/processes/node-process.js';
import { RunningScrip } from '../../support/processes/running-scrip.js';

/** A server for the log. `restart` kills it and starts it again, null when that cannot be; `stop` leaves a real one running. */
export type Server = {
  readonly url: string;
  readonly restart: (() => Promise<void>) | null;
  readonly stop: () => void;
};

/** An api and a worker, the real programs, with the log in EventStoreDB and the read models in PostgreSQL. */
export function installationOnEventStoreDb(start: () => Promise<Server>): void {
  describe('Scrip on EventStoreDB', () => {
    // A server that is used again has the accounts of earlier runs.
    const customer = `esdb-${randomBytes(6).toString('hex')}`;
    let server: Server;
    let env: Record<string, string>;
    let scrip: RunningScrip;
    let process: NodeProcess;
    let api: ApiClient;
    let consumptions: readonly ApiAnswer[];

    const consume = (key: string, amount = 1): Promise<ApiAnswer> =>
      api.post(`/v1/customers/${customer}/consumptions`, { amount }, key);
    const consumeTogether = (): Promise<ApiAnswer[]> =>
      Promise.all(Array.from({ length: 120 }, (_, n) => consume(`c-${String(n)}`)));
    const startApi = async (): Promise<void> => {
      ({ process, client: api } = await scrip.startApi(env));
    };
    type Event = { readonly id: string; readonly revision: number; readonly position: string; readonly type: string };
    const pages = async (limit: number): Promise<Event[]> => {
      const found: Event[] = [];
      for (let after = ''; ;) {
        const { status, body } = await api.get(`/v1/events?customerId=${customer}&limit=${String(limit)}${after}`);
        expect(status).toBe(200);
        found.push(...(body.data as unknown as Event[]));
        if (body['hasMore'] !== true) return found;
        after = `&after=${String(body['nextAfter'])}`;
      }
    };

    beforeAll(async () => {
      server = await start();
      env = { EVENT_STORE: 'eventstoredb', EVENTSTORE_URL: server.url };
      scrip = await RunningScrip.prepare();
      await Promise.all([startApi(), scrip.startWorker(env)]);
    });

    afterAll(async () => {
      await scrip.stop();
      server.stop();
    });

    it('grants and consumes, many at once, and never more than there is', async () => {
      const granted = await api.post(`/v1/customers/${customer}/grants`, { amount: 100, source: 'purchase' }, 'grant');
      expect([granted.status, granted.body.balance.available]).toEqual([201, 100]);
      const alone = await consume('alone', 10);
      const together = await consumeTogether();
      consumptions = [alone, ...together.filter(({ status }) => status === 201)];
      expect(consumptions).toHaveLength(91);
      expect(together.filter(({ status }) => status === 402)).toHaveLength(30);
    });

    it('answers every command with the position of its event, or of a later one of the same append', async () => {
      const events = await pages(7);
      expect(events.map(({ revision }) => revision)).toEqual(events.map((_, index) => index));
      const consumed = events.filter(({ type }) => type === 'CreditsConsumed').map(({ position }) => position);
      const answered = consumptions.map(({ body }) => body.position).sort();
      expect(answered).toHaveLength(consumed.length);
      expect(answered.filter((position, index) => position < consumed[index]!)).toEqual([]);
      expect(consumed).toEqual(expect.arrayContaining(answered));
      expect((await pages(200)).map(({ id }) => id)).toEqual(events.map(({ id }) => id));
    });

    it('shows the balance of what was just done', async () => {
      const last =
        consumptions
          .map(({ body }) => body.position)
          .sort()
          .at(-1) ?? '';
      const read = (): Promise<ApiAnswer> => api.get(`/v1/customers/${customer}/balance?minPosition=${last}`);
      const { body } = await eventually(read, ({ status }) => status === 200);
      expect([body.available, body['held'], body['debt']]).toEqual([0, 0, 0]);
      expect(body.asOf.position >= last).toBe(true);
    });

    it('finds an event by its id, and says when there is none', async () => {
      const [first] = await pages(200);
      const read = (id: string): Promise<ApiAnswer> => api.get(`/v1/events/${id}`);
      const found = await eventually(
        () => read(first?.id ?? ''),
        ({ status }) => status !== 503,
      );
      expect([found.status, found.body['revision'], found.body.position]).toEqual([200, 0, first?.position]);
      const other = await eventually(
        () => read('7d444840-9dc0-51d1-b245-5ffdce74fad2'),
        ({ status }) => status !== 503,
      );
      expect(other.status).toBe(404);
    });

    it('gives the first answer again after the api was killed', async () => {
      await process.stop('SIGKILL');
      await startApi();
      const again = [await consume('alone', 10), ...(await consumeTogether())];
      const replayed = again.filter(({ headers }) => headers.get('idempotent-replayed') === 'true');
      const withoutPosition = ({ body: { position: _, ...body } }: ApiAnswer): object => body;
      expect(replayed.map(withoutPosition)).toEqual(consumptions.map(withoutPosition));
      const later = replayed.filter(({ body }, index) => body.position > consumptions[index]!.body.position);
      expect(later).toEqual([]);
      expect(again).toHaveLength(121);
      expect((await consume('alone', 11)).body.code).toBe('idempotency_key_reused');
      expect(await pages(200)).toHaveLength(consumptions.length + 2);
    });

    it('keeps every answered command, once, when the server is killed under load', async () => {
      if (server.restart === null) return;
      const busy = `${customer}-busy`;
      await api.post(`/v1/customers/${busy}/grants`, { amount: 1_000, source: 'purchase' }, 'grant');
      const answers = new Map<string, ApiAnswer>();
      const keys = Array.from({ length: 300 }, (_, n) => `k-${String(n)}`);
      const waiting = keys.values();
      const caller = async (): Promise<void> => {
        for (const key of waiting) {
          const ask = (): Promise<ApiAnswer> => api.post(`/v1/customers/${busy}/consumptions`, { amount: 1 }, key);
          answers.set(key, await eventually(ask, ({ status }) => status < 500));
        }
      };
      const load = Promise.all(Array.from({ length: 8 }, caller));
      await eventually(
        () => Promise.resolve(answers.size),
        (count) => count > 50,
      );
      await server.restart();
      expect(answers.size).toBeLessThan(keys.length); // it was killed meanwhile
      await load;
      expect([...answers.values()].filter(({ status }) => status !== 201)).toEqual([]);
      const { body } = await api.get(`/v1/events?customerId=${busy}&limit=200`);
      const next = await api.get(`/v1/events?customerId=${busy}&limit=200&after=${String(body['nextAfter'])}`);
      expect([...body.data, ...next.body.data]).toHaveLength(keys.length + 2);
      const last = [...answers.values()].map((answer) => answer.body.position).sort();
      const read = (): Promise<ApiAnswer> =>
        api.get(`/v1/customers/${busy}/balance?minPosition=${String(last.at(-1))}`);
      const balance = await eventually(read, ({ status }) => status === 200);
      expect(balance.body.available).toBe(1_000 - keys.length);
      const audit = await runCli(['audit', 'verify'], { DATABASE_URL: scrip.database.url, ...env });
      expect([audit.code, audit.stdout]).toEqual([0, expect.stringContaining('the log is sound')]);
    });
  });
}
