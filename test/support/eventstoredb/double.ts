import {
  Metadata,
  Server,
  ServerCredentials,
  status,
  type ServerDuplexStream,
  type ServerReadableStream,
  type ServerWritableStream,
  type sendUnaryData,
} from '@grpc/grpc-js';
import features from '@eventstore/db-client/generated/serverfeatures_pb.js';
import { ServerFeaturesService } from '@eventstore/db-client/generated/serverfeatures_grpc_pb.js';
import { StreamsService } from '@eventstore/db-client/generated/streams_grpc_pb.js';
import type {
  AppendReq,
  AppendResp,
  BatchAppendReq,
  BatchAppendResp,
  ReadReq,
  ReadResp,
} from '@eventstore/db-client/generated/streams_pb.js';
import { EventLog, type Proposed } from './log.js';
import { batchReply, proposedOf, readAnswers, unaryReply, type AppendReply } from './protocol.js';
import { Subscriber } from './subscriber.js';

/** How the double treats one append. `stored` says whether the events are in the log afterwards. */
export type AppendFault =
  /** Takes it and never answers. */
  | { readonly kind: 'hang'; readonly stored: boolean }
  /**
   * Ends the call that carries it with a status, after a while when `ms` is given; OK is an end without an answer. `exception`:
   * the server's name of the error.
   */
  | {
      readonly kind: 'status';
      readonly code: number;
      readonly stored: boolean;
      readonly ms?: number;
      readonly exception?: string;
    }
  /** Ends the call of a single append with a status before its events are read. */
  | { readonly kind: 'early_status'; readonly code: number; readonly stored: false }
  /** Breaks the connection. */
  | { readonly kind: 'drop'; readonly stored: boolean }
  /** Stores it at once, answers after a while. */
  | { readonly kind: 'answer_late'; readonly ms: number }
  /** Stores it after a while, then answers. Until then the server ignores repetitions, and reports a timeout for them. */
  | { readonly kind: 'store_late'; readonly ms: number }
  /** Stores it and answers with a wrong revision. */
  | { readonly kind: 'wrong_revision' }
  /** Answers that the stream is at the revision that was expected, and yet refuses. */
  | { readonly kind: 'false_conflict'; readonly stored: boolean };

/** How the double treats a subscription after it has sent it an event. */
export type SubscriptionFault = 'end_ok' | 'drop' | 'silence' | { readonly code: number };

/**
 * EventStoreDB as far as the adapter uses it, in this process, on a free port of the loopback interface, made from the protocol
 * code that the client ships. It keeps the server's rules for appends and subscriptions, and misbehaves on request.
 */
export class EventStoreDbDouble {
  readonly log = new EventLog();
  /** What happens to the next appends, one each; then all is well. */
  readonly appendFaults: AppendFault[] = [];
  /** Statuses for the next reads, one each. */
  readonly readFaults: number[] = [];
  /** Asked after every event sent to a subscription; `sent` counts those of this subscription. */
  subscriptionFault: (sent: number) => SubscriptionFault | null = () => null;
  /** How long the server keeps a repetition of an append under way before it reports a timeout. */
  writeTimeoutMs = 300;
  /** Bytes of data, metadata and types that the server takes in one append (`MaxAppendSize`). */
  maxAppendBytes = 1024 * 1024;
  /** Counters, so that tests can tell that they tested something. */
  readonly seen = { appends: 0, batchAppends: 0, largestInFlight: 0, reads: 0, subscriptions: 0, tooSlow: 0 };
  #server: Server | null = null;
  #port = 0;
  #frozen = false;
  readonly #underWay = new Set<string>();
  #inFlight = 0;
  #thaw: (() => void)[] = [];

  get url(): string {
    return `esdb://127.0.0.1:${String(this.#port)}?tls=false`;
  }

  /** Starts, or starts again on the same port with everything that was stored. */
  async start(): Promise<void> {
    const server = new Server({ 'grpc.max_receive_message_length': 17 * 1024 * 1024 });
    server.addService(ServerFeaturesService, {
      getSupportedMethods: (_: unknown, answer: sendUnaryData<unknown>) => answer(null, supportedMethods()),
    });
    server.addService(StreamsService, {
      read: (call: ServerWritableStream<ReadReq, ReadResp>) => void this.#read(call),
      batchAppend: (call: ServerDuplexStream<BatchAppendReq, BatchAppendResp>) => this.#batchAppend(call),
      append: (call: ServerReadableStream<AppendReq, AppendResp>, answer: sendUnaryData<AppendResp>) =>
        this.#unaryAppend(call, answer),
      delete: unimplemented,
      tombstone: unimplemented,
    });
    this.#port = await new Promise((resolve, reject) => {
      server.bindAsync(`127.0.0.1:${String(this.#port)}`, ServerCredentials.createInsecure(), (error, port) =>
        error ? reject(error) : resolve(port),
      );
    });
    this.#server = server;
  }

  /** Stops at once, as if killed: connections break, what was stored remains. */
  stop(): void {
    this.thaw();
    this.#server?.forceShutdown();
    this.#server = null;
    this.#underWay.clear();
  }

  /** Breaks every connection; new ones are taken again. */
  async dropConnections(): Promise<void> {
    this.stop();
    await this.start();
  }

  /** Takes requests and connections and does nothing with them, until `thaw`. */
  freeze(): void {
    this.#frozen = true;
  }

  thaw(): void {
    this.#frozen = false;
    for (const go of this.#thaw.splice(0)) go();
  }

  async #awake(): Promise<void> {
    if (this.#frozen) await new Promise<void>((resolve) => this.#thaw.push(resolve));
  }

  async #read(call: ServerWritableStream<ReadReq, ReadResp>): Promise<void> {
    await this.#awake();
    const options = call.request.getOptions()!;
    try {
      if (!options.hasSubscription()) {
        this.seen.reads += 1;
        const code = this.readFaults.shift();
        if (code !== undefined) {
          call.emit('error', { code, details: 'as requested', metadata: new Metadata() });
          return;
        }
        for (const answer of readAnswers(this.log, options)) call.write(answer);
        call.end();
        return;
      }
      this.seen.subscriptions += 1;
      const subscriber = new Subscriber(this.log, call, () => this.#awake());
      subscriber.afterSend = (sent) => this.#misbehave(call, subscriber, this.subscriptionFault(sent));
      subscriber.onTooSlow = () => (this.seen.tooSlow += 1);
      await subscriber.run(options);
    } catch (error) {
      call.emit('error', { code: status.UNKNOWN, details: String(error), metadata: new Metadata() });
    }
  }

  #misbehave(
    call: ServerWritableStream<ReadReq, ReadResp>,
    subscriber: Subscriber,
    fault: SubscriptionFault | null,
  ): void {
    if (fault === null) return;
    subscriber.stop();
    if (fault === 'silence') return;
    if (fault === 'end_ok') call.end();
    else if (fault === 'drop') void after(10).then(() => this.dropConnections());
    else call.emit('error', { code: fault.code, details: 'as requested', metadata: new Metadata() });
  }

  #batchAppend(call: ServerDuplexStream<BatchAppendReq, BatchAppendResp>): void {
    const parts = new Map<string, { options: BatchAppendReq.Options; events: Proposed[] }>();
    call.on('error', () => undefined);
    call.on('end', () => call.end());
    call.on('data', (request: BatchAppendReq) => {
      const id = request.getCorrelationId()!.getString();
      const part = parts.get(id) ?? { options: request.getOptions()!, events: [] };
      parts.set(id, part);
      part.events.push(...request.getProposedMessagesList().map(proposedOf));
      if (!request.getIsFinal()) return;
      parts.delete(id);
      this.seen.batchAppends += 1;
      const stream = Buffer.from(part.options.getStreamIdentifier()!.getStreamName_asU8()).toString();
      const expected = part.options.hasNoStream() ? -1 : Number(part.options.getStreamPosition());
      void this.#append(batchReply(call, id), { stream, expected, events: part.events });
    });
  }

  #unaryAppend(call: ServerReadableStream<AppendReq, AppendResp>, answer: sendUnaryData<AppendResp>): void {
    const reply = unaryReply(answer);
    const append = { stream: '', expected: -1, events: [] as Proposed[] };
    let over = false;
    const end = (): void => {
      if (!over) this.#inFlight -= 1;
      over = true;
    };
    this.#inFlight += 1;
    this.seen.largestInFlight = Math.max(this.seen.largestInFlight, this.#inFlight);
    call.on('error', end);
    call.on('cancelled', end);
    call.on('data', (request: AppendReq) => {
      const options = request.getOptions();
      if (options === undefined) {
        append.events.push(proposedOf(request.getProposedMessage()!));
        return;
      }
      append.stream = Buffer.from(options.getStreamIdentifier()!.getStreamName_asU8()).toString();
      append.expected = options.hasNoStream() ? -1 : Number(options.getRevision());
      if (this.appendFaults[0]?.kind !== 'early_status') return;
      const [fault] = this.appendFaults.splice(0, 1) as [AppendFault & { kind: 'early_status' }];
      end();
      reply.fail(fault.code);
    });
    call.on('end', () => {
      if (over) return;
      void this.#append(reply, append).then(end);
    });
  }

  async #append(
    reply: AppendReply,
    { stream, expected, events }: { stream: string; expected: number; events: readonly Proposed[] },
  ) {
    await this.#awake();
    this.seen.appends += 1;
    const bytes = events.reduce(
      (sum, { data, metadata, type }) => sum + data.length + metadata.length + 2 * type.length,
      0,
    );
    if (bytes > this.maxAppendBytes) return reply.fail(status.INVALID_ARGUMENT, 'maximum-append-size-exceeded');
    const fault = this.appendFaults.shift() ?? null;
    const identity = `${stream} ${String(expected)} ${events.map((event) => event.id).join()}`;
    if (this.#underWay.has(identity)) {
      await after(this.writeTimeoutMs);
      return reply.timeout();
    }
    if (fault?.kind === 'store_late') {
      this.#underWay.add(identity);
      await after(fault.ms);
      this.#underWay.delete(identity);
    }
    const decision = fault && 'stored' in fault && !fault.stored ? null : this.log.append(stream, expected, events);
    switch (fault?.kind) {
      case 'hang':
        return;
      case 'status':
        if (fault.ms !== undefined) await after(fault.ms);
        return reply.fail(fault.code, fault.exception);
      case 'drop':
        return this.dropConnections();
      case 'false_conflict':
        return reply.wrongVersion(expected);
      case 'answer_late':
        await after(fault.ms);
    }
    if (!decision) return;
    if (decision.kind === 'wrong_version') reply.wrongVersion(decision.current);
    else reply.stored(fault?.kind === 'wrong_revision' ? 1 : decision.revision, decision.position);
  }
}

const after = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

const unimplemented = (call: { emit(event: 'error', error: object): void }, answer?: (error: object) => void): void => {
  const error = { code: status.UNIMPLEMENTED, details: 'the double does not do this', metadata: new Metadata() };
  if (answer) answer(error);
  else call.emit('error', error);
};

function supportedMethods() {
  const batchAppend = new features.SupportedMethod()
    .setMethodName('batchappend')
    .setServiceName('event_store.client.streams.streams');
  return new features.SupportedMethods().setEventStoreServerVersion('23.10.6').setMethodsList([batchAppend]);
}
