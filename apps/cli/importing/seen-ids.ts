import { hash } from 'node:crypto';

const FIRST_SLOTS = 1024;

/**
 * Which ids a source has named already, in some 16 bytes an id, however long they are: digests of 52 bits. Two ids of a million
 * share one with a chance below one in a thousand; then a lot is refused that is none twice, which the report shows.
 */
export class SeenIds {
  #slots = new Float64Array(FIRST_SLOTS);
  #held = 0;

  /** Notes an id; false when it was noted before. */
  add(id: string): boolean {
    if (2 * this.#held >= this.#slots.length) this.#grow();
    if (!put(this.#slots, digestOf(id))) return false;
    this.#held += 1;
    return true;
  }

  #grow(): void {
    const wider = new Float64Array(4 * this.#slots.length);
    for (const digest of this.#slots) if (digest !== 0) put(wider, digest);
    this.#slots = wider;
  }
}

/** 1 to 2^52: 0 marks a free slot. */
const digestOf = (id: string): number => parseInt(hash('sha1', id, 'hex').slice(0, 13), 16) + 1;

function put(slots: Float64Array, digest: number): boolean {
  let slot = digest % slots.length;
  for (let held = slots[slot]; held !== 0; held = slots[slot]) {
    if (held === digest) return false;
    slot = (slot + 1) % slots.length;
  }
  slots[slot] = digest;
  return true;
}
