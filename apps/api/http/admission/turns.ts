/**
 * Lets a bounded amount of work run at a time, the rest in the order in which it came. Whatever is under way is alive in memory and
 * is copied by every collection of garbage; what waits for its turn costs next to nothing.
 */
export class Turns {
  #running = 0;
  readonly #waiting: { readonly size: number; readonly start: () => void }[] = [];

  constructor(private readonly most: number) {}

  /** Resolves when work of this size may run; `end` must follow. Larger work than fits runs alone. */
  async begin(size: number): Promise<void> {
    if (this.#waiting.length === 0 && this.#fits(size)) this.#running += size;
    else await new Promise<void>((start) => this.#waiting.push({ size, start }));
  }

  end(size: number): void {
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
