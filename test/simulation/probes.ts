/** Rare branches that a run must reach over all its seeds, or the simulation proves less than it seems to. */
export const probeNames = [
  'append conflicts',
  'duplicate ids refused',
  'append lost before',
  'append landed late',
  'append answer lost',
  'unknown outcome settled',
  'outcome stayed unknown',
  'replayed',
  'replayed by another process',
  'key reused',
  'refused',
  'unavailable',
  'process killed at work',
  'store outage',
  'clock jumped',
  'expiry recorded by a command',
  'expiry recorded by the scheduler',
  'hold timed out',
  'debt repaid',
  'reversed',
  'projection fenced',
  'inbox fenced',
  'settler fenced',
  'transfers fenced',
  'transfer arrived',
  'transfer came back',
  'claims followed a transfer',
  'payment settled',
  'claims passed on',
  'Stripe event parked',
  'Stripe event told twice',
  'snapshot used',
  'old key looked up',
  'budget exceeded',
  'hold counted in a budget and given back',
  'use counted once',
  'limit reached',
] as const;

export type Probe = (typeof probeNames)[number];

export class Probes {
  readonly counts = new Map<Probe, number>(probeNames.map((name) => [name, 0]));

  hit(name: Probe, times = 1): void {
    this.counts.set(name, (this.counts.get(name) ?? 0) + times);
  }

  add(other: Probes): void {
    for (const [name, count] of other.counts) this.hit(name, count);
  }
}
