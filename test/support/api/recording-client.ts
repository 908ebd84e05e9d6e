import { setTimeout as sleep } from 'node:timers/promises';
import { checkAnswer, type Exchange } from './answer-check.js';

/** One consumption that the client has asked for, and what it knows of it. */
export type Asked = {
  readonly key: string;
  readonly customerId: string;
  readonly amount: number;
  /** The first answer that settled it; null while its outcome is not known. */
  answer: { readonly status: number; readonly body: string; readonly replayed: boolean } | null;
  /** Milliseconds that the slowest try took until it was answered or failed. */
  slowest: number;
  tries: number;
};

/** Answers that say that nothing is known, or that nothing was done and the same key may be tried again. */
const isSettled = (status: number): boolean => status < 500 && status !== 429 && status !== 409;

const deadlineMs = 30_000;

/** A caller with a perfect memory: it remembers every key, tries unknown outcomes again, and can be asked what must be so. */
export class RecordingClient {
  readonly asked: Asked[] = [];
  /** How requests ended that settled nothing: a status, or the kind of failure. */
  readonly unsettled = new Map<string, number>();

  constructor(
    private readonly urlOf: () => string,
    private readonly apiKey: string,
  ) {}

  get acknowledged(): readonly Asked[] {
    return this.asked.filter(({ answer }) => answer?.status === 201);
  }

  post(path: string, key: string | null, body: object): Promise<Response> {
    return fetch(`${this.urlOf()}${path}`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${this.apiKey}`,
        'content-type': 'application/json',
        ...(key === null ? {} : { 'idempotency-key': key }),
      },
      body: JSON.stringify(body),
      signal: AbortSignal.timeout(deadlineMs),
    });
  }

  async get(path: string): Promise<{ status: number; body: Record<string, unknown> }> {
    const headers = { authorization: `Bearer ${this.apiKey}` };
    const url = this.urlOf();
    const response = await fetch(`${url}${path}`, { headers, signal: AbortSignal.timeout(deadlineMs) });
    const text = await response.text();
    await this.#check(url, { method: 'GET', path, sent: undefined, text }, response);
    return { status: response.status, body: JSON.parse(text) as Record<string, unknown> };
  }

  /** Grants credits; tries until it is done. */
  async grant(customerId: string, amount: number): Promise<void> {
    for (;;) {
      const response = await this.post(`/v1/customers/${customerId}/grants`, 'grant-1', {
        amount,
        source: 'purchase',
      }).catch(() => null);
      if (response?.status === 201) return;
      if (response !== null && isSettled(response.status))
        throw new Error(`a grant was answered ${await response.text()}`);
      await sleep(50);
    }
  }

  /** One try of a consumption. */
  async consume(customerId: string, amount: number, key: string): Promise<Asked> {
    const asked: Asked = { key, customerId, amount, answer: null, slowest: 0, tries: 0 };
    this.asked.push(asked);
    await this.try(asked);
    return asked;
  }

  async try(asked: Asked): Promise<void> {
    const begin = performance.now();
    asked.tries += 1;
    const path = `/v1/customers/${asked.customerId}/consumptions`;
    const sent = { amount: asked.amount };
    let answered: { readonly text: string; readonly response: Response } | null = null;
    const url = this.urlOf();
    try {
      const response = await this.post(path, asked.key, sent);
      const body = await response.text();
      answered = { text: body, response };
      if (isSettled(response.status)) {
        asked.answer ??= {
          status: response.status,
          body,
          replayed: response.headers.get('idempotent-replayed') === 'true',
        };
      } else this.#note(String(response.status));
    } catch (error) {
      const { name, cause } = error as Error & { cause?: { code?: string } };
      this.#note(cause?.code ?? name);
    }
    asked.slowest = Math.max(asked.slowest, performance.now() - begin);
    if (answered === null) return;
    await this.#check(url, { method: 'POST', path, sent, text: answered.text }, answered.response);
  }

  /** Sends consumptions of 1 to 3 credits over `customers` from `callers` at a time until `signal` aborts. */
  async load(customers: readonly string[], callers: number, signal: AbortSignal): Promise<void> {
    const caller = async (): Promise<void> => {
      while (!signal.aborted) {
        const n = this.asked.length;
        const asked = await this.consume(customers[n % customers.length]!, 1 + (n % 3), `k-${String(n)}`);
        if (asked.answer === null) await sleep(20);
      }
    };
    await Promise.all(Array.from({ length: callers }, caller));
  }

  /** Tries everything of unknown outcome again, with its own key, until it is settled. Rejects after `withinMs`. */
  async settle(withinMs = 60_000): Promise<void> {
    const until = performance.now() + withinMs;
    for (;;) {
      const open = this.asked.filter(({ answer }) => answer === null);
      if (open.length === 0) return;
      if (performance.now() > until)
        throw new Error(`${String(open.length)} outcomes are still unknown after ${String(withinMs)} ms`);
      for (let i = 0; i < open.length; i += 32)
        await Promise.all(open.slice(i, i + 32).map((asked) => this.try(asked)));
      await sleep(50);
    }
  }

  /** Throws where the answer is not as the server's OpenAPI document describes it. */
  #check(
    url: string,
    exchange: Pick<Exchange, 'method' | 'path' | 'sent' | 'text'>,
    { status, headers }: Response,
  ): Promise<void> {
    return checkAnswer(url, { ...exchange, status, headers });
  }

  #note(how: string): void {
    this.unsettled.set(how, (this.unsettled.get(how) ?? 0) + 1);
  }
}
