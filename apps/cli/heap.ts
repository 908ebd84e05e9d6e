import { setFlagsFromString } from 'node:v8';

const set = (flags: readonly string[]): void => {
  for (const flag of flags) setFlagsFromString(flag);
};

/**
 * Nearly all that an event leaves behind is garbage at once, and what stays grows slowly. Left to itself the heap of each
 * thread would grow to several times what is alive before it is looked through. Helpers in looking for garbage would take the
 * processor from threads that have work of their own, and pretenuring makes in the old generation what soon is garbage.
 */
export const keepHeapSmall = (): void => {
  set(['--heap-growing-percent=30', '--no-parallel-scavenge', '--no-allocation-site-pretenuring']);
};

/** From now on this thread only hands on: threads that it makes have all their room for what is new, and it takes no more. */
export const leaveRoomToThreads = (): void => {
  set(['--min-semi-space-size=20', '--semi-space-growth-factor=1']);
};

/** This thread does the work again. */
export const takeRoomBack = (): void => {
  set(['--min-semi-space-size=0', '--semi-space-growth-factor=2']);
};
