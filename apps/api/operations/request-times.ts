import type { Metric, Registry } from 'prom-client';

const name = 'scrip_http_request_seconds';
const help = 'Time from the request to the end of its answer.';
const bounds = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10] as const;

type Labels = { readonly method: string; readonly route: string; readonly status: string };
/** `counts`: how many took no longer than the bound in its place, but longer than the one before; the last, longer than all. */
type Series = { readonly labels: Labels; readonly counts: Float64Array; sum: number };
type Value = { readonly metricName: string; readonly labels: object; readonly value: number };

/**
 * How long requests took, as a histogram for Prometheus. prom-client's own makes objects and checks labels at every
 * observation, which cost more than all that a request spends on its load limit and login.
 */
export class RequestTimes {
  readonly #byRoute = new Map<string, Map<string, Series[]>>();

  observe(method: string, route: string, status: number, seconds: number): void {
    const series = this.#series(method, route, status);
    let place = 0;
    while (place < bounds.length && seconds > (bounds[place] ?? 0)) place += 1;
    series.counts[place] = (series.counts[place] ?? 0) + 1;
    series.sum += seconds;
  }

  /** Has the registry tell of it with its other metrics. */
  register(registry: Registry): void {
    const get = () => Promise.resolve({ name, help, type: 'histogram', aggregator: 'sum', values: this.#values() });
    registry.registerMetric({ name, get } as unknown as Metric);
  }

  #series(method: string, route: string, status: number): Series {
    let byMethod = this.#byRoute.get(route);
    if (byMethod === undefined) this.#byRoute.set(route, (byMethod = new Map()));
    let byStatus = byMethod.get(method);
    if (byStatus === undefined) byMethod.set(method, (byStatus = []));
    return (byStatus[status] ??= {
      labels: { method, route, status: String(status) },
      counts: new Float64Array(bounds.length + 1),
      sum: 0,
    });
  }

  #values(): Value[] {
    return [...this.#byRoute.values()]
      .flatMap((byMethod) => [...byMethod.values()])
      .flatMap((byStatus) => Object.values(byStatus))
      .flatMap(valuesOf);
  }
}

function valuesOf({ labels, counts, sum }: Series): Value[] {
  let count = 0;
  const buckets = [...counts].map((more, place) => {
    count += more;
    return { metricName: `${name}_bucket`, labels: { le: bounds[place] ?? '+Inf', ...labels }, value: count };
  });
  return [
    ...buckets,
    { metricName: `${name}_sum`, labels, value: sum },
    { metricName: `${name}_count`, labels, value: count },
  ];
}
