/** A bug, not a refusal: the program has reached a state that its own rules exclude. */
export class AssertionFailed extends Error {
  override readonly name = 'AssertionFailed';
}

/** Crashes the current work when `condition` is false. For impossible states only; callers' mistakes are refusals. */
export function assert(condition: unknown, message: string): asserts condition {
  if (!condition) throw new AssertionFailed(message);
}

/** Makes a switch exhaustive: adding a variant without a case fails to compile here. */
export function assertNever(value: never): never {
  throw new AssertionFailed(`unexpected variant: ${JSON.stringify(value)}`);
}
