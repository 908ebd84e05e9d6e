import type { StreamName } from '#kernel/stream-name.js';
import type { RecordedEvent } from '../port/event-store.js';
import { columns, eventOf, type Row } from './rows.js';
import type { PostgresSessions } from './session.js';

const oneText = `select ${columns} from scrip_log.events where stream = $1 and revision >= $2 order by revision limit $3`;

const manyText = `select ${columns}, asked.i::integer from unnest($1::text[], $2::integer[], $3::integer[]) with ordinality asked (name, from_revision, most, i)
  cross join lateral (select * from scrip_log.events where stream = asked.name and revision >= asked.from_revision order by revision limit asked.most) found
  order by asked.i, revision`;

/** A longer read goes alone, so that what is gathered stays small. */
const longestGathered = 64;
const mostGathered = 64;
const gatheredInFlight = 2;

type Asked = {
  readonly stream: StreamName;
  readonly fromRevision: number;
  readonly limit: number;
  resolve(events: readonly RecordedEvent[]): void;
  reject(error: unknown): void;
};

/**
 * Reads of single streams. Short ones that are asked for while others are under way are gathered into one statement: a
 * process that meets thousands of accounts for the first time would else pay a round trip for each.
 */
export class StreamReads {
  #waiting: Asked[] = [];
  #inFlight = 0;

  constructor(private readonly sessions: PostgresSessions) {}

  read(stream: StreamName, fromRevision: number, limit: number): Promise<readonly RecordedEvent[]> {
    if (limit > longestGathered) return this.#one(stream, fromRevision, limit);
    return new Promise((resolve, reject) => {
      this.#waiting.push({ stream, fromRevision, limit, resolve, reject });
      if (this.#inFlight < gatheredInFlight) void this.#gather();
    });
  }

  async #gather(): Promise<void> {
    this.#inFlight += 1;
    await Promise.resolve(); // reads of the same moment go together
    while (this.#waiting.length > 0) {
      const asked = this.#waiting.splice(0, mostGathered);
      try {
        await this.#many(asked);
      } catch (error) {
        for (const { reject } of asked) reject(error);
      }
    }
    this.#inFlight -= 1;
  }

  async #many(asked: readonly Asked[]): Promise<void> {
    const [first] = asked;
    if (asked.length === 1 && first !== undefined) {
      first.resolve(await this.#one(first.stream, first.fromRevision, first.limit));
      return;
    }
    const values = [
      asked.map(({ stream }) => stream),
      asked.map(({ fromRevision }) => fromRevision),
      asked.map(({ limit }) => limit),
    ];
    const rows = await this.sessions.query<[...Row, number]>({
      name: 'streams',
      text: manyText,
      values,
      rowMode: 'array',
    });
    const found = asked.map((): RecordedEvent[] => []);
    for (const row of rows) found[row[10] - 1]?.push(eventOf(row));
    for (const [index, { resolve }] of asked.entries()) resolve(found[index] ?? []);
  }

  async #one(stream: StreamName, fromRevision: number, limit: number): Promise<readonly RecordedEvent[]> {
    const values = [stream, fromRevision, limit];
    return (await this.sessions.query<Row>({ name: 'stream', text: oneText, values, rowMode: 'array' })).map(eventOf);
  }
}
