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

  /** Takes `n` places; false when there are not enough. What was taken is given back by `leave`. */
  enter(n: number): boolean {
    if (this.#closed) return false;
    if (this.#inFlight > 0 && this.#inFlight + n > this.max) return false;
    this.#inFlight += n;
    return true;
  }

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
