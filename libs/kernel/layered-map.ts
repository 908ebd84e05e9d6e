/**
 * A map that can be forked: the fork sees what its base holds, its own writes stay in the fork. Forking costs nothing per
 * entry, so a writer can try a batch on a fork and drop it when the store refuses. A base must not change while forked.
 */
export class LayeredMap<K, V> {
  /** Made with the first write: most forks are only read. */
  #own: Map<K, V | undefined> | null = null;
  readonly #base: LayeredMap<K, V> | null;

  private constructor(base: LayeredMap<K, V> | null) {
    this.#base = base;
  }

  static empty<K, V>(): LayeredMap<K, V> {
    return new LayeredMap<K, V>(null);
  }

  static from<K, V>(entries: Iterable<readonly [K, V]>): LayeredMap<K, V> {
    const map = new LayeredMap<K, V>(null);
    map.#own = new Map(entries);
    return map;
  }

  get(key: K): V | undefined {
    const own = this.#own?.get(key);
    if (own !== undefined || this.#base === null || this.#own?.has(key) === true) return own;
    return this.#base.get(key);
  }

  set(key: K, value: V): void {
    this.#writable().set(key, value);
  }

  delete(key: K): void {
    if (this.#base === null) this.#own?.delete(key);
    else this.#writable().set(key, undefined);
  }

  #writable(): Map<K, V | undefined> {
    this.#own ??= new Map();
    return this.#own;
  }

  fork(): LayeredMap<K, V> {
    return new LayeredMap<K, V>(this);
  }

  /** Moves the fork's writes into its base and gives the base back; the fork must not be used again. */
  merge(): LayeredMap<K, V> {
    if (this.#base === null) return this;
    for (const [key, value] of this.#own ?? []) {
      if (value === undefined) this.#base.delete(key);
      else this.#base.set(key, value);
    }
    return this.#base;
  }

  /** All entries; in the order of first insertion within each layer, the base's first. */
  *entries(): IterableIterator<[K, V]> {
    if (this.#base !== null) {
      for (const [key, value] of this.#base.entries()) {
        const newer = this.#own?.get(key);
        if (newer !== undefined) yield [key, newer];
        else if (this.#own?.has(key) !== true) yield [key, value];
      }
    }
    for (const [key, value] of this.#own ?? []) {
      if (value !== undefined && this.#base?.get(key) === undefined) yield [key, value];
    }
  }

  *values(): IterableIterator<V> {
    for (const [, value] of this.entries()) yield value;
  }

  /** The number of entries; counts them, so not for hot paths on a fork. */
  get size(): number {
    if (this.#base === null) return this.#own?.size ?? 0;
    return [...this.entries()].length;
  }
}
