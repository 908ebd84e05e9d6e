/**
 * Lets a bounded amount of work run at a time, the rest in order of arrival. Work under way is live memory that every garbage
 * collection copies; work that waits costs next to nothing.
 */
export class WeightedSemaphore {
  #running = 0;
  readonly #waiting: { readonly size: number; readonly start: () => void }[] = [];

  constructor(private readonly most: number) {}

  /** Resolves when work of this size may run; `release` must follow. Larger work than fits runs alone. */
  async acquire(size: number): Promise<void> {
    if (this.#waiting.length === 0 && this.#fits(size)) this.#running += size;
    else await new Promise<void>((start) => this.#waiting.push({ size, start }));
  }

  release(size: number): void {
    this.#running -= size;
    for (let next = this.#waiting[0]; next !== undefined && this.#fits(next.size); next = this.#waiting[0]) {
      this.#waiting.shift();
      this.#running += next.size;
      next.start();
    }
  }

  #fits(size: number): boolean {
    return this.#running === 0 || this.#running + size <= this.most;
  }
}
