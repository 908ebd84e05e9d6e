import { Injectable } from '@nestjs/common';

/** How much work is under way in this process. Over the bound, new work is turned away at once instead of waiting. */
@Injectable()
export class LoadLimit {
  #inFlight = 0;
  #draining = false;
  #closed = false;

  constructor(private readonly max: number) {}

  get inFlight(): number {
    return this.#inFlight;
  }

  get draining(): boolean {
    return this.#draining;
  }

  /** Takes a place for a new request; false when there is none. It is given back by `leave`. */
  enter(): boolean {
    if (this.#closed || this.#inFlight >= this.max) return false;
    this.#inFlight += 1;
    return true;
  }

  /**
   * Takes `n` more places for a request that has one. False when others have taken them all. Else it may go beyond the bound: work that
   * is larger than the bound would never fit, and until it ends nothing else is let in.
   */
  grow(n: number): boolean {
    if (this.#inFlight > this.max) return false;
    this.#inFlight += n;
    return true;
  }

  /** Gives `n` places back. */
  leave(n: number): void {
    this.#inFlight -= n;
  }

  /** From now on answers tell clients to connect elsewhere. */
  drain(): void {
    this.#draining = true;
  }

  /** From now on nothing new is let in; what is under way goes on. */
  close(): void {
    this.#closed = true;
  }
}
