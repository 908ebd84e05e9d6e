import type { StreamName } from '#kernel/stream-name.js';
import { NO_STREAM, type RecordedEvent } from '../port/event-store.js';
import { columns, eventOf, type Row } from './rows.js';
import type { PostgresSessions } from './session.js';
import { StreamReads } from './stream-reads.js';

/** A page ends early behind the event with which it reaches the bytes; it always holds one event if there is one. */
const pageText = `select ${columns} from (
  select *, sum(octet_length(data) + octet_length(metadata)) over (order by position rows unbounded preceding)
    - octet_length(data) - octet_length(metadata) as bytes_before
  from (select * from scrip_log.events where position > $1 order by position limit $2) page
) bounded where bytes_before < $3 order by position`;

const placesText = `select id, stream, revision, position, encode(hash, 'hex') as hash from scrip_log.events where id = any($1)`;
const revisionText = 'select coalesce(max(revision), -1) as revision from scrip_log.events where stream = $1';
const headText = 'select coalesce(max(position), 0) as position from scrip_log.events';

/** An event found by its id. */
export type Place = {
  readonly id: string;
  readonly stream: StreamName;
  readonly revision: number;
  readonly position: string;
  readonly hash: string;
};

/** Reads of the log. All errors are StoreUnavailable. */
export class PostgresReader {
  readonly #streams: StreamReads;

  constructor(private readonly sessions: PostgresSessions) {
    this.#streams = new StreamReads(sessions);
  }

  stream(stream: StreamName, fromRevision: number, limit: number): Promise<readonly RecordedEvent[]> {
    return this.#streams.read(stream, fromRevision, limit);
  }

  /** At most `limit` events after `after`, fewer when they reach `bytes`. */
  async page(after: number, limit: number, bytes: number): Promise<readonly RecordedEvent[]> {
    return this.#events('page', pageText, [after, limit, bytes]);
  }

  async places(eventIds: readonly string[]): Promise<readonly Place[]> {
    return this.sessions.query<Place>({ name: 'places', text: placesText, values: [eventIds] });
  }

  /** The newest revision of the stream; -1 when there is none. */
  async revision(stream: StreamName): Promise<number> {
    const [row] = await this.sessions.query<{ revision: number }>({
      name: 'revision',
      text: revisionText,
      values: [stream],
    });
    return row?.revision ?? NO_STREAM;
  }

  async head(): Promise<number> {
    const [row] = await this.sessions.query<{ position: string }>({ name: 'head', text: headText, values: [] });
    return Number(row?.position ?? 0);
  }

  async #events(name: string, text: string, values: unknown[]): Promise<RecordedEvent[]> {
    return (await this.sessions.query<Row>({ name, text, values, rowMode: 'array' })).map(eventOf);
  }
}
