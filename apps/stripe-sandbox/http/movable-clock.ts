/** The sandbox's time in seconds: it flows with the system's, moved by an offset, or stands still while frozen. */
export class MovableClock {
  #offset = 0;
  #frozenAt: number | null = null;

  constructor(
    private readonly systemSeconds: () => number,
    start: number | null,
  ) {
    if (start !== null) this.set(start);
  }

  now(): number {
    return this.#frozenAt ?? this.systemSeconds() + this.#offset;
  }

  get frozen(): boolean {
    return this.#frozenAt !== null;
  }

  /** Goes on from `time`, frozen as before. */
  set(time: number): void {
    this.#offset = time - this.systemSeconds();
    if (this.#frozenAt !== null) this.#frozenAt = time;
  }

  freeze(): void {
    this.#frozenAt = this.now();
  }

  unfreeze(): void {
    if (this.#frozenAt === null) return;
    const time = this.#frozenAt;
    this.#frozenAt = null;
    this.set(time);
  }
}
