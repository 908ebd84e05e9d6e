import { Problem } from '../http/problem.js';
import { WeightedSemaphore } from '../http/admission/weighted-semaphore.js';

/** Reads that take long: a few at a time, some more wait, and what is beyond is refused at once. */
export class BoundedReads {
  readonly #semaphore: WeightedSemaphore;
  #present = 0;

  constructor(
    atATime: number,
    private readonly most: number,
  ) {
    this.#semaphore = new WeightedSemaphore(atATime);
  }

  /** What `read` answers. Throws the problem `overloaded` when too many are under way or waiting. */
  async run<Result>(read: () => Promise<Result>): Promise<Result> {
    if (this.#present >= this.most) throw new Problem('overloaded');
    this.#present += 1;
    await this.#semaphore.acquire(1);
    try {
      return await read();
    } finally {
      this.#semaphore.release(1);
      this.#present -= 1;
    }
  }
}
