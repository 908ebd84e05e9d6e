import { createHmac } from 'node:crypto';
import type { Sandbox } from '../core/sandbox.js';
import { bookAttempt, deliveryBody, dueDeliveries } from '../core/webhooks.js';

const timeoutMs = 20_000;

/** `t=…,v1=…[,v1=…],v0=…`, as Stripe signs in test mode; `t` is the real time, which is what receivers check. */
export function signature(body: string, secrets: readonly string[], seconds: number): string {
  const sign = (secret: string): string => createHmac('sha256', secret).update(`${seconds}.${body}`).digest('hex');
  const signatures = secrets.map((secret) => `v1=${sign(secret)}`);
  return [`t=${seconds}`, ...signatures, `v0=${sign('v0')}`].join(',');
}

/** Sends due webhooks in the background, a few at a time, and books how each attempt ended. */
export class WebhookSender {
  readonly #inFlight = new Set<string>();
  readonly #idle: (() => void)[] = [];
  #closed = false;

  constructor(
    private readonly sandbox: Sandbox,
    private readonly concurrency: number,
    private readonly onChange: () => void,
  ) {}

  /** Starts as many due attempts as there is room for. */
  pump(): void {
    if (this.#closed) return;
    for (const delivery of dueDeliveries(this.sandbox.world)) {
      if (this.#inFlight.size >= this.concurrency) return;
      if (this.#inFlight.has(delivery.id)) continue;
      this.#inFlight.add(delivery.id);
      void this.#attempt(delivery.id);
    }
    if (this.#inFlight.size === 0) for (const resolve of this.#idle.splice(0)) resolve();
  }

  /** Resolves when everything that is due by the sandbox's clock was tried; retries that lie ahead are not waited for. */
  async settle(): Promise<void> {
    const idle = new Promise<void>((resolve) => this.#idle.push(resolve));
    this.pump();
    if (this.#closed) return;
    await idle;
  }

  close(): void {
    this.#closed = true;
    for (const resolve of this.#idle.splice(0)) resolve();
  }

  async #attempt(id: string): Promise<void> {
    const { world } = this.sandbox;
    const delivery = world.deliveries.get(id);
    const message = delivery === undefined ? null : deliveryBody(world, delivery);
    if (message === null) {
      world.deliveries.delete(id);
      world.waiting.delete(id);
    } else {
      const { endpoint, body } = message;
      const old = endpoint.sandbox.oldSecretUntil > world.now ? endpoint.sandbox.oldSecret : null;
      const secrets = old === null ? [endpoint.secret] : [endpoint.secret, old];
      const outcome = await post(endpoint.url, body, signature(body, secrets, Math.floor(Date.now() / 1000)));
      bookAttempt(world, id, outcome.status, outcome.error);
    }
    this.#inFlight.delete(id);
    this.onChange();
    this.pump();
  }
}

async function post(
  url: string,
  body: string,
  signed: string,
): Promise<{ status: number | null; error: string | null }> {
  try {
    const response = await fetch(url, {
      method: 'POST',
      body,
      headers: {
        'content-type': 'application/json; charset=utf-8',
        'stripe-signature': signed,
        'user-agent': 'Stripe/1.0 (sandbox)',
      },
      redirect: 'manual',
      signal: AbortSignal.timeout(timeoutMs),
    });
    await response.arrayBuffer();
    return { status: response.status, error: null };
  } catch (error) {
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
    return { status: null, error: cause instanceof Error ? cause.message : 'no answer' };
  }
}
