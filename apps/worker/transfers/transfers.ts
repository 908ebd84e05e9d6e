import type { LedgerHandlers } from '#composition/ledger-handlers.js';
import { eachBounded } from '#consuming/bounded.js';
import type { Checkpoint } from '#consuming/checkpoint.js';
import type { LogConsumer } from '#consuming/follow-log.js';
import type { Position, RecordedEvent } from '#event-store/port/event-store.js';
import { assert } from '#kernel/assert.js';
import { accountOf, accountStream, customerStream, type StreamName } from '#kernel/stream-name.js';
import type { AccountRefusal } from '#ledger/account/commands.js';
import type { AccountEvent, TransferObstacle } from '#ledger/account/events.js';
import { askedBy, type Asked } from '#ledger/account/transfers/asking.js';
import { decoded } from '../decoded.js';
import { refusalOf } from '../outcomes.js';

const CONCURRENCY = 64;
/** How many events without meaning for transfers may pass before the checkpoint is moved for them. */
const SAVE_EVERY = 10_000;

type Parts = { readonly handlers: LedgerHandlers; readonly checkpoint: Checkpoint };
type Step = { readonly recorded: RecordedEvent; readonly event: AccountEvent };

/**
 * Brings credits from the customer who sent them to the one who is to have them, or back, and what is claimed of them after them. Driven
 * by the events of accounts alone.
 *
 * Everything may be repeated: commands carry a key that is made from the event that asks for them, and the checkpoint moves only after
 * the whole batch is in the log. A receiver that refuses once refuses for ever, so no transfer arrives after it came back.
 */
export class Transfers implements LogConsumer {
  readonly #handlers: LedgerHandlers;
  readonly #checkpoint: Checkpoint;
  /** Events read since the checkpoint was moved. */
  #unsaved = 0;

  constructor({ handlers, checkpoint }: Parts) {
    this.#handlers = handlers;
    this.#checkpoint = checkpoint;
  }

  checkpoint(): Promise<Position> {
    return this.#checkpoint.read();
  }

  /**
   * Carries out what the next batch of the log after `checkpoint` (and after batches that were not saved since) asks for, and returns the
   * checkpoint as it is then. Throws without moving it when the store fails (TryAgainLater), another worker has taken over
   * (CheckpointMoved) or an event cannot be read (ConsumerHalted).
   */
  async process(checkpoint: Position, batch: readonly RecordedEvent[]): Promise<Position> {
    const last = batch.at(-1);
    if (last === undefined) return checkpoint;
    const due = stepsOf(batch);
    this.#unsaved += batch.length;
    if (due.size === 0 && this.#unsaved < SAVE_EVERY) return checkpoint;
    await eachBounded(due, CONCURRENCY, ([, steps]) => this.#takeInTurn(steps));
    await this.#checkpoint.move(checkpoint, last.position);
    this.#unsaved = 0;
    return last.position;
  }

  /** What one account asks for is done in its order: claims follow credits that have arrived. */
  async #takeInTurn(steps: readonly Step[]): Promise<void> {
    for (const step of steps) await this.#take(step);
  }

  async #take({ recorded, event }: Step): Promise<void> {
    const { stream, revision } = recorded;
    const account = accountOf(stream);
    assert(account !== null, `${stream} is not an account's stream`);
    const { customerId, unit } = account;
    const to = 'toCustomerId' in event ? event.toCustomerId : '';
    const { erased } = (await this.#handlers.customer.load(customerStream(to))).state;
    const asked = askedBy(event, { customerId, revision }, erased);
    if (asked === null) return;
    const refusal = await this.#execute(accountStream(asked.of, unit), asked.command, recorded);
    if (refusal === null) return;
    const { transferId, command } = asked;
    assert(command.type === 'ReceiveTransfer', `${asked.of} refuses what is claimed of ${transferId}`);
    const because = obstacleIn(refusal);
    const ofSender = await this.#execute(stream, { type: 'ReturnTransfer', transferId, because }, recorded);
    assert(ofSender === null, `${stream} does not take back what ${transferId} took`);
  }

  #execute(
    stream: StreamName,
    command: Asked['command'] | { type: 'ReturnTransfer'; transferId: string; because: TransferObstacle },
    { id }: RecordedEvent,
  ): Promise<AccountRefusal | null> {
    const request = { origin: 'transfers', fingerprint: null, actor: 'transfers', causationId: id } as const;
    return refusalOf(this.#handlers.account.execute({ stream, key: id, command, ...request, correlationId: id }));
  }
}

/** By account, in their order. Throws ConsumerHalted when an event cannot be read. */
function stepsOf(batch: readonly RecordedEvent[]): ReadonlyMap<StreamName, readonly Step[]> {
  const steps = new Map<StreamName, Step[]>();
  for (const recorded of batch) {
    if (recorded.type !== 'TransferSent' && recorded.type !== 'TransferClaimed') continue;
    const known = steps.get(recorded.stream) ?? [];
    known.push({ recorded, event: decoded(recorded) as AccountEvent });
    steps.set(recorded.stream, known);
  }
  return steps;
}

function obstacleIn({ rejected }: AccountRefusal): TransferObstacle {
  assert(
    rejected === 'account_closed' || rejected === 'customer_erased' || rejected === 'balance_limit_exceeded',
    `a receiver of credits refuses them with ${rejected}`,
  );
  return rejected;
}
