import { Injectable } from '@nestjs/common';
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { WriteStatistics } from '#event-store/writing/limits.js';
import type { ProjectionStatus } from '#projecting/status.js';

/** What the process exports to Prometheus. Labels are route patterns and fixed words, so their number is bounded. */
@Injectable()
export class Metrics {
  static readonly contentType: string = Registry.PROMETHEUS_CONTENT_TYPE;
  readonly #registry = new Registry();
  /** How long requests took, by method, pattern of the route and status. */
  readonly requests = new Histogram({
    name: 'scrip_http_request_seconds',
    help: 'Time from the request to the end of its answer.',
    labelNames: ['method', 'route', 'status'],
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10],
    registers: [this.#registry],
  });

  constructor(
    writers: { readonly [category: string]: { readonly statistics: WriteStatistics } },
    inFlight: () => number,
    private readonly projections: () => Promise<readonly ProjectionStatus[]>,
  ) {
    collectDefaultMetrics({ register: this.#registry });
    this.#gauge('scrip_http_in_flight', 'Requests and bulk commands under way.', () => inFlight());
    this.#writeMetrics(writers);
    this.#projectionMetrics();
  }

  /** The text that Prometheus scrapes. */
  text(): Promise<string> {
    return this.#registry.metrics();
  }

  #gauge(name: string, help: string, read: () => number): void {
    new Gauge({
      name,
      help,
      registers: [this.#registry],
      collect(): void {
        this.set(read());
      },
    });
  }

  #writeMetrics(writers: { readonly [category: string]: { readonly statistics: WriteStatistics } }): void {
    const counted = ['batches', 'commands', 'events', 'conflicts', 'duplicates', 'unknownOutcomes'] as const;
    const words = {
      batches: 'Appends',
      commands: 'Commands',
      events: 'Events',
      conflicts: 'Conflicts with other writers',
      duplicates: 'Old keys found',
      unknownOutcomes: 'Unknown outcomes',
    };
    for (const member of counted) {
      const before = new Map<string, number>();
      new Counter({
        name: `scrip_write_${member.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)}_total`,
        help: `${words[member]} of the write path, by stream category.`,
        labelNames: ['category'],
        registers: [this.#registry],
        collect(): void {
          for (const [category, { statistics }] of Object.entries(writers)) {
            this.inc({ category }, statistics[member] - (before.get(category) ?? 0));
            before.set(category, statistics[member]);
          }
        },
      });
    }
    this.#gauge('scrip_write_waiting', 'Commands waiting in lanes or under way.', () =>
      Object.values(writers).reduce((sum, { statistics }) => sum + statistics.waiting, 0),
    );
  }

  #projectionMetrics(): void {
    const { projections } = this;
    const halted = new Gauge({
      name: 'scrip_projection_halted',
      help: '1 when the projection has stopped at an event.',
      labelNames: ['projection'],
      registers: [this.#registry],
    });
    new Gauge({
      name: 'scrip_projection_lag_seconds',
      help: 'Age of the oldest event that the projection has not applied.',
      labelNames: ['projection'],
      registers: [this.#registry],
      async collect(): Promise<void> {
        const statuses = await projections().catch(() => []);
        for (const { name, role, lagSeconds, state } of statuses) {
          if (role !== 'live') continue;
          this.set({ projection: name }, lagSeconds);
          halted.set({ projection: name }, state === 'halted' ? 1 : 0);
        }
      },
    });
  }
}
