import type { LedgerHandlers } from '#composition/ledger-handlers.js';
import type { LogFollower } from '#consuming/log-follower.js';
import { collectDefaultMetrics, Counter, Gauge, Registry } from 'prom-client';

const written = [
  ['events', 'scrip_worker_events_total', 'Events written by the worker, by stream category.'],
  ['commands', 'scrip_worker_commands_total', 'Commands of the worker, by stream category.'],
] as const;

const reads = {
  inbox: 'How far this process has read the log for Stripe events; 0 while another process does it.',
  settler: 'How far this process has read the log for payments to settle; 0 while another process does it.',
  transfers: 'How far this process has read the log for transfers between customers; 0 while another process does it.',
};

/** What the worker exports to Prometheus. */
export class WorkerMetrics {
  readonly #registry = new Registry();

  constructor(handlers: LedgerHandlers, followers: Readonly<Record<keyof typeof reads, LogFollower>>) {
    collectDefaultMetrics({ register: this.#registry });
    for (const [member, name, help] of written) {
      const before = new Map<string, number>();
      new Counter({
        name,
        help,
        labelNames: ['category'],
        registers: [this.#registry],
        collect(): void {
          for (const [category, { statistics }] of Object.entries(handlers)) {
            this.inc({ category }, statistics[member] - (before.get(category) ?? 0));
            before.set(category, statistics[member]);
          }
        },
      });
    }
    for (const name of ['inbox', 'settler', 'transfers'] as const) {
      new Gauge({
        name: `scrip_${name}_position`,
        help: reads[name],
        registers: [this.#registry],
        collect(): void {
          this.set(Number(followers[name].position));
        },
      });
    }
  }

  /** The text that Prometheus scrapes. */
  text(): Promise<string> {
    return this.#registry.metrics();
  }

  get contentType(): string {
    return this.#registry.contentType;
  }
}
