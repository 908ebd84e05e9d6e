import Stripe from 'stripe';
import type { Catalog, Plan } from '#ledger/catalog.js';
import { NodeProcess } from './node-process.js';

/** The offline Stripe as a process of its own, on a free port. */
export class SandboxProcess {
  private constructor(
    readonly process: NodeProcess,
    readonly stripe: Stripe,
  ) {}

  static async start(env: Readonly<Record<string, string>> = {}): Promise<SandboxProcess> {
    const process = await NodeProcess.start({
      args: ['--conditions=source', '--import', './test/support/run-typescript.mjs', 'apps/stripe-sandbox/main.ts'],
      env: { SANDBOX_PORT: '0', ...env },
      readyWhen: 'listening',
    });
    const { hostname, port } = new URL(process.url);
    const stripe = new Stripe('sk_test_sandbox_key', {
      host: hostname,
      port: Number(port),
      protocol: 'http',
      telemetry: false,
    });
    return new SandboxProcess(process, stripe);
  }

  get url(): string {
    return this.process.url;
  }

  /** Calls the sandbox's own controls. */
  async control(method: string, path: string, body: object = {}): Promise<unknown> {
    const options = method === 'GET' ? {} : { body: JSON.stringify(body) };
    const answer = await fetch(`${this.url}/_sandbox${path}`, { method, ...options });
    const text = await answer.text();
    if (!answer.ok) throw new Error(text);
    return JSON.parse(text);
  }

  /** The requests to `path` (all when left out) meet a fault, `times` times. */
  fault(fault: 'rate_limit' | 'server_error' | 'lose_answer', times: number, path?: string): Promise<unknown> {
    return this.control('POST', '/faults', { requests: [{ fault, times, ...(path === undefined ? {} : { path }) }] });
  }

  /** A monthly price at the sandbox. */
  price(amount: number, interval: 'month' | 'year' = 'month'): Promise<Stripe.Price> {
    return this.stripe.prices.create({
      currency: 'usd',
      unit_amount: amount,
      recurring: { interval },
      product_data: { name: `Plan ${String(amount)} ${interval}` },
    });
  }

  /** The catalogue with a price at the sandbox for every price of a plan, and no trials. */
  async priced(catalog: Catalog): Promise<Catalog> {
    const plans: Plan[] = [];
    for (const plan of catalog.plans) {
      const { monthly, yearly } = plan;
      plans.push({
        ...plan,
        trialDays: null,
        monthly: monthly && { ...monthly, stripePriceId: (await this.price(monthly.money.amount)).id },
        yearly: yearly && { ...yearly, stripePriceId: (await this.price(yearly.money.amount, 'year')).id },
      });
    }
    return { ...catalog, plans };
  }
}
