const perOctave = 128; // 128 steps per power of two: a recorded value is at most 0.8 % too low

/** Latencies in microseconds, kept as counts in steps that grow with the value: constant memory, any range. */
export class Histogram {
  readonly #counts = new Uint32Array(perOctave * 40);
  #total = 0;
  #max = 0;

  record(microseconds: number): void {
    const value = Math.max(0, Math.floor(microseconds));
    this.#counts[stepOf(value)]! += 1;
    this.#total += 1;
    if (value > this.#max) this.#max = value;
  }

  get total(): number {
    return this.#total;
  }

  /** The latency in milliseconds that `share` (0 to 1) of all recorded ones do not exceed. */
  quantile(share: number): number {
    const wanted = Math.ceil(this.#total * share);
    let seen = 0;
    for (const [step, count] of this.#counts.entries()) {
      seen += count;
      if (seen >= wanted && count > 0) return Math.min(startOf(step + 1), this.#max) / 1000;
    }
    return this.#max / 1000;
  }

  summary(): Latency {
    return { p50: this.quantile(0.5), p99: this.quantile(0.99), p999: this.quantile(0.999), max: this.#max / 1000 };
  }
}

/** Milliseconds. */
export type Latency = { readonly p50: number; readonly p99: number; readonly p999: number; readonly max: number };

function stepOf(value: number): number {
  if (value < perOctave) return value;
  const octave = 31 - Math.clz32(value) - 7;
  return octave * perOctave + (value >>> octave);
}

function startOf(step: number): number {
  if (step < 2 * perOctave) return step;
  const octave = Math.floor(step / perOctave) - 1;
  return (step - octave * perOctave) * 2 ** octave;
}

/** The middle one; of an even number the mean of the two in the middle. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}
