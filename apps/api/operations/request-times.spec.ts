import { describe, expect, it } from '@jest/globals';
import { Histogram, Registry } from 'prom-client';
import { RequestTimes } from './request-times.js';

describe('the times of requests', () => {
  it("are told as prom-client's own histogram tells them", async () => {
    const buckets = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10];
    const [ours, theirs] = [new Registry(), new Registry()];
    const times = new RequestTimes();
    times.register(ours);
    const histogram = new Histogram({
      name: 'scrip_http_request_seconds',
      help: 'Time from the request to the end of its answer.',
      labelNames: ['method', 'route', 'status'],
      buckets,
      registers: [theirs],
    });
    for (const [method, route, status, seconds] of [
      ['GET', '/livez', 200, 0.0004],
      ['GET', '/livez', 200, 0.001],
      ['GET', '/livez', 503, 11],
      ['POST', '/v1/customers/:customerId/grants', 201, 0.02],
      ['POST', '/v1/customers/:customerId/grants', 201, 2.5],
    ] as const) {
      times.observe(method, route, status, seconds);
      histogram.labels({ method, route, status: String(status) }).observe(seconds);
    }
    expect(await ours.metrics()).toBe(await theirs.metrics());
  });
});
