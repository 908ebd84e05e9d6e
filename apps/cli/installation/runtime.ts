/**
 * How Node runs an api or a worker. What is alive in them is some tens of megabytes, and left to itself the heap would grow to
 * ten times that before it is looked through: collections come soon after the last one, and threads share two arenas of
 * memory from which more is given back. Pretenuring is off: a burst, while which nothing dies, would teach V8 to make the objects of
 * each command in the old generation for as long as the process lives, and those collections cost a third more of all its time.
 * One thread of V8's, not four, compiles and marks beside the main one: on few cores the others took the processor from
 * those who wait for an answer, a tenth of a second at a time.
 */
export const runtime = {
  flags: [
    '--enable-source-maps',
    '--max-semi-space-size=32',
    '--heap-growing-percent=100',
    '--no-allocation-site-pretenuring',
    '--v8-pool-size=1',
  ],
  environment: { MALLOC_ARENA_MAX: '2' },
} as const;
