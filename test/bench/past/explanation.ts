import { closedLoop, pastMoments } from './as-of.js';
import type { Bench, Figure } from '../bench.js';
import { longAccount } from './long-account.js';
import { catchUpOnce } from '../whole-log.js';

/** What it costs to explain a balance of a very long account, now and at moments all over its past. */
export async function explanation(bench: Bench): Promise<readonly Figure[]> {
  const url = await bench.scripDatabase();
  const account = await longAccount(url, 'explained', bench.effort.events);
  const projected = await catchUpOnce(bench, url);
  const api = await bench.api(url);
  const query = pastMoments(account, 'explanation');
  await closedLoop(api, 1, query, bench.effort.warmUpSeconds);
  const past = await closedLoop(api, 1, query, bench.effort.seconds);
  const now = await closedLoop(api, 1, () => `/v1/customers/${account.customer}/explanation`, bench.effort.seconds);
  await api.stop();
  return [
    {
      name: 'explanation of the past',
      value: past.quantile(0.99),
      unit: 'ms p99',
      bar: { atMost: 200 },
      detail: { events: account.events, projected, reads: past.total, ...past.summary() },
    },
    {
      name: 'explanation of now',
      value: now.quantile(0.99),
      unit: 'ms p99',
      bar: { atMost: 200 },
      detail: { reads: now.total, ...now.summary() },
    },
  ];
}
