import type { Instant } from './instant.js';
import type { Json } from './json.js';
import type { StreamName } from './stream-name.js';

/** A business refusal: a value with a stable code and the members that tell the caller what to do. Nothing was recorded. */
export type Refused<Code extends string = string> = { readonly rejected: Code; readonly [member: string]: unknown };

/** What a decision may know besides state and command. All of it is data, so a decision can be repeated for ever. */
export type Moment<Event> = {
  /** The time of the decision, never before the stream's newest event. */
  readonly at: Instant;
  /** The revision that the first event of this decision will have. */
  readonly revision: number;
  /** The command's own id (UUID), derived from its stream and key. New ids are made from it. */
  readonly commandId: string;
  /** The past event that `needs` asked for; null when there is none at that revision. */
  readonly past: Event | null;
};

export type TypedEvent = { readonly type: string };

/**
 * The rules of one stream category, without effects.
 * `decide` answers with events or a refusal and changes nothing; the same command again, once recorded, is found by its key
 * before it gets here. `evolve` takes over the state that it is given and returns the next one: fork first to keep the old.
 */
export interface Decider<Command, Event extends TypedEvent, State, Refusal extends Refused> {
  readonly category: string;
  initial(stream: StreamName): State;
  decide(state: State, command: Command, moment: Moment<Event>): readonly Event[] | Refusal;
  evolve(state: State, event: Event, revision: number): State;
  /** A state that can be evolved without touching the given one. */
  fork(state: State): State;
  /** Ends a fork: its changes become part of the state it came from, which is returned. */
  merge(fork: State): State;
  /** The revision of a past event that the decision needs (a consumption to reverse), or null. */
  needs?(state: State, command: Command): number | null;
  /** How a state is kept to shorten a later load. Disposable: another `version` is ignored. */
  readonly snapshot?: {
    readonly version: number;
    encode(state: State): Json;
    decode(json: Json, stream: StreamName): State;
  };
}

/** True when a decision was refused. */
export const isRefused = <E, R extends Refused>(decision: readonly E[] | R): decision is R => !Array.isArray(decision);
