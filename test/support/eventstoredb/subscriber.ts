import { Metadata, status, type ServerWritableStream } from '@grpc/grpc-js';
import streams, { type ReadReq, type ReadResp } from '@eventstore/db-client/generated/streams_pb.js';
import type { EventLog } from './log.js';
import { eventAnswer, filterOf } from './protocol.js';

const LIVE_BUFFER = 32;

/**
 * One subscription to the log, by the rules of 23.10: events strictly after the position, first from the log at the consumer's
 * pace, then live through a buffer of 32; a consumer that lets it overflow is aborted.
 */
export class Subscriber {
  afterSend: (sent: number) => void = () => undefined;
  onTooSlow: () => void = () => undefined;
  #sent = 0;
  #stopped = false;
  readonly #cancelled: Promise<unknown>;

  constructor(
    private readonly log: EventLog,
    private readonly call: ServerWritableStream<ReadReq, ReadResp>,
    private readonly awake: () => Promise<void>,
  ) {
    this.#cancelled = new Promise((resolve) => call.once('cancelled', resolve));
  }

  stop(): void {
    this.#stopped = true;
  }

  async run(options: ReadReq.Options): Promise<void> {
    const position = options.getAll()?.getPosition();
    const accepts = filterOf(options);
    let next = position ? this.log.indexOf(BigInt(position.getCommitPosition())) : 0;
    if (position && this.log.all[next]?.position === BigInt(position.getCommitPosition())) next += 1;
    let wake: () => void = () => undefined;
    let live = false;
    const forget = this.log.onAppend(() => {
      if (live && this.log.all.length - next > LIVE_BUFFER) this.#abort();
      wake();
    });
    void this.#cancelled.then(() => {
      this.stop();
      wake();
    });
    this.call.write(
      new streams.ReadResp().setConfirmation(new streams.ReadResp.SubscriptionConfirmation().setSubscriptionId('1')),
    );
    while (!this.#stopped) {
      await this.awake();
      const event = this.log.all[next];
      if (!event) {
        if (!live) this.call.write(new streams.ReadResp());
        live = true;
        await new Promise<void>((resolve) => (wake = resolve));
        continue;
      }
      next += 1;
      if (accepts(event)) await this.#send(eventAnswer(event));
    }
    forget();
  }

  async #send(answer: ReadResp): Promise<void> {
    if (!this.call.write(answer))
      await Promise.race([new Promise((resolve) => this.call.once('drain', resolve)), this.#cancelled]);
    if (this.#stopped) return;
    this.#sent += 1;
    this.afterSend(this.#sent);
  }

  #abort(): void {
    if (this.#stopped) return;
    this.stop();
    this.onTooSlow();
    const details =
      'Operation timed out: Consumer too slow to handle event while live. Client resubscription required.';
    this.call.emit('error', { code: status.ABORTED, details, metadata: new Metadata() });
  }
}
