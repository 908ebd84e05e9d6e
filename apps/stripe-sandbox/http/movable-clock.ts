/** How far a clock is from the system's, and where it stands still. */
export type ClockState = { readonly offset: number; readonly frozenAt: number | null };

/** The sandbox's time in seconds: it flows with the system's, moved by an offset, or stands still while frozen. */
export class MovableClock {
  #offset: number;
  #frozenAt: number | null;

  private constructor(
    private readonly systemSeconds: () => number,
    { offset, frozenAt }: ClockState,
  ) {
    this.#offset = offset;
    this.#frozenAt = frozenAt;
  }

  /** A clock that flows on from `time`; null: from the system's. */
  static startingAt(time: number | null, systemSeconds: () => number): MovableClock {
    return new MovableClock(systemSeconds, { offset: time === null ? 0 : time - systemSeconds(), frozenAt: null });
  }

  /** The clock of an earlier run: unless it stands still, the time has gone on meanwhile. */
  static kept(state: ClockState, systemSeconds: () => number): MovableClock {
    return new MovableClock(systemSeconds, state);
  }

  get state(): ClockState {
    return { offset: this.#offset, frozenAt: this.#frozenAt };
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
