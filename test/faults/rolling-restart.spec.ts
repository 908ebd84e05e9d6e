import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { NodeProcess } from '../support/processes/node-process.js';
import { RecordingClient } from '../support/api/recording-client.js';
import { adminKey, World } from '../support/worlds/world.js';
const customers = Array.from({ length: 10 }, (_, n) => `acme-${String(n)}`);
/** All that a client may meet: refusals that name when to come again, and a process that is not there. */
const expected = ['429', '503', 'ECONNREFUSED'];

/** Addresses turn by turn, as a load balancer that knows nothing of readiness gives them; leaves one alone for as long as it asked. */
class Addresses {
  readonly #restUntil = new Map<string, number>();
  #turn = 0;

  constructor(private readonly urls: readonly string[]) {}

  next(): string {
    const awake = this.urls.filter((url) => (this.#restUntil.get(url) ?? 0) <= performance.now());
    const among = awake.length > 0 ? awake : this.urls;
    return among[(this.#turn += 1) % among.length]!;
  }

  /** Notes what a process answered; true when that was a refusal that named when to come again. */
  refused(url: string, { status, headers }: Response): boolean {
    const seconds = headers.get('retry-after');
    if ((status !== 503 && status !== 429) || seconds === null) return false;
    this.#restUntil.set(url, performance.now() + Number(seconds) * 1000);
    return true;
  }
}

class PatientClient extends RecordingClient {
  constructor(private readonly addresses: Addresses) {
    super(() => addresses.next(), adminKey);
  }

  override async post(path: string, key: string | null, body: object): Promise<Response> {
    const response = await super.post(path, key, body);
    this.addresses.refused(new URL(response.url).origin, response);
    return response;
  }
}

describe('a rolling restart of two api processes and a worker under load', () => {
  let world: World;
  let apis: NodeProcess[];
  let addresses: Addresses;
  let client: PatientClient;

  beforeAll(async () => {
    world = await World.start();
    apis = await Promise.all([world.startApi(), world.startSecondApi()]);
    addresses = new Addresses(apis.map(({ url }) => url));
    client = new PatientClient(addresses);
    await Promise.all(customers.map((customer) => client.grant(customer, 1_000_000)));
  });

  afterAll(async () => {
    await world.stop();
  });

  /** Reads balances; answers what came that was neither a balance, nor a refusal with Retry-After, nor a process gone. */
  async function read(signal: AbortSignal): Promise<readonly string[]> {
    const strange: string[] = [];
    for (let n = 0; !signal.aborted; n += 1) {
      const url = addresses.next();
      try {
        const answer = await fetch(`${url}/v1/customers/${customers[n % customers.length]!}/balance`, {
          headers: { authorization: `Bearer ${adminKey}` },
        });
        await answer.text();
        if (!addresses.refused(url, answer) && answer.status !== 200) strange.push(String(answer.status));
      } catch (error) {
        const { code } = (error as Error & { cause?: { code?: string } }).cause ?? {};
        if (code !== 'ECONNREFUSED') strange.push(code ?? String(error));
      }
    }
    return strange;
  }

  it('shows a client that honours Retry-After no error, and loses and repeats nothing', async () => {
    const worker = await world.startWorker();
    await world.caughtUp();
    const enough = new AbortController();
    const load = client.load(customers, 12, enough.signal);
    const reading = read(enough.signal);
    for (const [index, start] of [
      (port: string) => world.startApi({ PORT: port }),
      (port: string) => world.startSecondApi({ PORT: port }),
    ].entries()) {
      await sleep(400);
      const { port } = new URL(apis[index]!.url);
      const begin = performance.now();
      expect(await apis[index]!.stop('SIGTERM')).toEqual({ code: 0, signal: null });
      expect(performance.now() - begin).toBeLessThan(10_000);
      apis[index] = await start(port);
    }
    await world.startWorker();
    expect(await worker.stop('SIGTERM')).toEqual({ code: 0, signal: null });
    await sleep(400);
    enough.abort();
    await load;
    await client.settle();
    expect(await reading).toEqual([]);
    expect([...client.unsettled.keys()].filter((how) => !expected.includes(how))).toEqual([]);
    // Whether a draining api answered 503 or had closed its port already depends on when the client came.
    expect(client.unsettled.size).toBeGreaterThan(0);
    // A refusal was certain: nothing that was tried again had been done before.
    expect(client.asked.filter(({ tries, answer }) => tries > 1 && answer!.replayed)).toEqual([]);
    world.client.asked.push(...client.asked);
    expect(await world.violations()).toEqual([]);
    expect(await world.projectionViolations()).toEqual([]);
  });

  it('says in readiness that a process is leaving while it still serves', async () => {
    const api = apis[0]!;
    expect((await fetch(`${api.url}/readyz`)).status).toBe(200);
    api.signal('SIGTERM');
    for (let ready = 200; ready !== 503;) ({ status: ready } = await fetch(`${api.url}/readyz`));
    expect((await api.exited).code).toBe(0);
  });
});
