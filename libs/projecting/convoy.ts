import type { Clock } from '#kernel/clock.js';
import { START, type Position, type RecordedEvent } from '#event-store/port/event-store.js';

const PAGES_AHEAD_MAX = 6;
const LARGE_PAGE = 500;
const PAUSE_MS = 4;
const PAUSES_MAX = 125;
/** Who has taken no page for so long may be stuck, and is not waited for. */
const GOING_ON_MS = 1_000;

type Member = {
  /** The ends of the newest pages that it has taken, the oldest first. */
  readonly taken: Position[];
  takenAt: number;
};

/**
 * Keeps the projections of a process together while they catch up, so that each page is read and decoded once for all. A
 * courtesy, not a lock: who is far ahead of another that goes on pauses before each page, for half a second at most.
 */
export class Convoy {
  readonly #clock: Clock;
  readonly #members = new Set<Member>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Passes the pages on. Large ones are held back while a member that goes on is more than a few pages behind. */
  async *join(
    from: Position,
    pages: AsyncIterable<readonly RecordedEvent[]>,
  ): AsyncGenerator<readonly RecordedEvent[]> {
    const member: Member = { taken: [from], takenAt: this.#clock.now() };
    this.#members.add(member);
    try {
      for await (const page of pages) {
        // Small pages are those of the log's end, where nobody is behind for long and nobody should wait.
        const pausesMax = page.length < LARGE_PAGE ? 0 : PAUSES_MAX;
        for (let pause = 0; pause < pausesMax && this.#isFarAhead(member); pause += 1)
          await this.#clock.sleep(PAUSE_MS);
        member.takenAt = this.#clock.now();
        member.taken.push(page.at(-1)?.position ?? from);
        if (member.taken.length > PAGES_AHEAD_MAX) member.taken.shift();
        yield page;
      }
    } finally {
      this.#members.delete(member);
    }
  }

  #isFarAhead({ taken }: Member): boolean {
    const [oldest] = taken;
    if (oldest === undefined || taken.length < PAGES_AHEAD_MAX) return false;
    const goingOn = this.#clock.now() - GOING_ON_MS;
    for (const other of this.#members)
      if ((other.taken.at(-1) ?? START) < oldest && other.takenAt >= goingOn) return true;
    return false;
  }
}
