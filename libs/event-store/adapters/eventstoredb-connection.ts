import { EventStoreDBClient } from '@eventstore/db-client';
import { StreamsClient } from '@eventstore/db-client/generated/streams_grpc_pb.js';
import { StoreUnavailable } from '../event-store.js';

type CallArguments = ReturnType<EventStoreDBClient['callArguments']>;
type Call = { on(event: 'error', listener: (error: Error) => void): unknown };

/**
 * Connection, discovery, credentials, TLS and reconnection are the client's. The calls are made here, with the protocol code
 * that it ships, because its own calls share a table of pending appends between all clients of a process, ignore deadlines,
 * lose the exact bytes of events, and can end the process with an uncaught error.
 */
export class EventStoreDbConnection {
  readonly #client: EventStoreDBClient;
  #used = false;
  #closed = false;

  /** `url` is a connection string (`esdb://…`). Throws when it cannot be understood, without quoting it: it may hold a password. */
  constructor(url: string) {
    try {
      this.#client = EventStoreDBClient.connectionString(url);
    } catch {
      throw new Error('the EventStoreDB connection string cannot be understood');
    }
  }

  /** Begins a call without a deadline; its end is the caller's affair. StoreUnavailable: it was not begun, nothing was sent. */
  async start<Begun extends Call>(begin: (stub: StreamsClient, ...args: CallArguments) => Begun): Promise<Begun> {
    if (this.#closed) throw new StoreUnavailable('the event store is closed');
    this.#used = true;
    try {
      const stub = await this.#client['execute'](StreamsClient, 'scrip', (client) => Promise.resolve(client));
      const call = begin(stub, ...this.#client['callArguments']({}, { deadline: Infinity }));
      call.on('error', (error) => this.#reconnectAfter(stub, error));
      return call;
    } catch {
      throw new StoreUnavailable('no connection to EventStoreDB');
    }
  }

  /** The version of the server that calls go to now. StoreUnavailable: it did not say. */
  async serverVersion(): Promise<string> {
    try {
      return (await this.#client['capabilities']).serverVersion;
    } catch {
      throw new StoreUnavailable('no connection to EventStoreDB');
    }
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    if (!this.#used) return;
    const channel = await this.#client['getChannel']().catch(() => null);
    channel?.close();
  }

  /** Lets the client find the leader, or a living node, for the next call. Its own failure shows in that call. */
  #reconnectAfter(stub: StreamsClient, error: Error): void {
    this.#client['handleError'](stub, error).catch(() => undefined);
  }
}
