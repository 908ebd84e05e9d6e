import { isRefused, type Decider, type Refused, type TypedEvent } from '#kernel/decider.js';
import type { Instant } from '#kernel/instant.js';

/**
 * One stream of a category, as the write path keeps it, for the specs of the rules: given some commands, when another one comes,
 * then these are its events or its refusal. After each command the state goes through a snapshot, where the category has one.
 */
export class DecidedStream<Command, Event extends TypedEvent, State, Refusal extends Refused> {
  state: State;
  readonly log: Event[] = [];
  #commands = 0;

  constructor(
    private readonly decider: Decider<Command, Event, State, Refusal>,
    private now: Instant,
    private readonly stream: string = `${decider.category}-acme`,
  ) {
    this.state = decider.initial(this.stream);
  }

  /** Runs commands that must not be refused, each at the time of the last one. */
  given(...commands: readonly Command[]): this {
    for (const command of commands) this.events(command);
    return this;
  }

  /** Decides a command at a time, never earlier than the last, and takes over its events. */
  when(command: Command, at: Instant = this.now): readonly Event[] | Refusal {
    if (at > this.now) this.now = at;
    this.#commands += 1;
    const commandId = `00000000-0000-5000-8000-${String(this.#commands).padStart(12, '0')}`;
    const needed = this.decider.needs?.(this.state, command) ?? null;
    const past = needed === null ? null : (this.log[needed] ?? null);
    const moment = { at: this.now, revision: this.log.length, commandId, past };
    const decision = this.decider.decide(this.state, command, moment);
    if (isRefused(decision)) return decision;
    for (const event of decision) {
      this.state = this.decider.evolve(this.state, event, this.log.length);
      this.log.push(event);
    }
    const { snapshot } = this.decider;
    if (snapshot !== undefined) {
      const kept = JSON.stringify(snapshot.encode(this.state));
      this.state = snapshot.decode(JSON.parse(kept), this.stream);
    }
    return decision;
  }

  /** The events of a command that must not be refused. */
  events(command: Command, at?: Instant): readonly Event[] {
    const decision = this.when(command, at);
    if (isRefused(decision)) throw new Error(`refused: ${decision.rejected}`);
    return decision;
  }

  /** What a command ends in: the types of its events with spaces between them, or the code of its refusal. */
  run(command: Command, at?: Instant): string {
    const decision = this.when(command, at);
    return isRefused(decision) ? decision.rejected : decision.map(({ type }) => type).join(' ');
  }
}
