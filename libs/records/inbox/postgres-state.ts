import type { Position } from '#event-store/port/event-store.js';
import type { OwnerSince } from '#ledger/stripe/customer-owner.js';
import type { ParkReason } from '#ledger/stripe/event.js';
import type { Database } from '#database/database.js';
import { storable } from '#database/values.js';
import { moveCheckpoint, readCheckpoint } from '../checkpoints.js';
import { SCHEMA } from '../schema.js';
import { InboxState, type InboxChange } from './state.js';

/** The inbox's memory in PostgreSQL: tables `inbox_*` of schema `scrip_app`, its checkpoint beside that of other consumers. */
export class PostgresInboxState extends InboxState {
  readonly #db: Database;

  constructor(db: Database) {
    super();
    this.#db = db;
  }

  override checkpoint(): Promise<Position> {
    return readCheckpoint(this.#db, 'inbox');
  }

  override async ownersOf(stripeCustomerIds: readonly string[]): Promise<ReadonlyMap<string, readonly OwnerSince[]>> {
    if (stripeCustomerIds.length === 0) return new Map();
    const rows = await this.#db.query<{ stripe_customer_id: string; owners: string }>({
      name: 'inbox-owners',
      text: `select stripe_customer_id, owners from ${SCHEMA}.inbox_links where stripe_customer_id = any($1)`,
      values: [stripeCustomerIds],
    });
    return new Map(rows.map((row) => [row.stripe_customer_id, JSON.parse(row.owners) as readonly OwnerSince[]]));
  }

  override waitingForSubjects(
    code: ParkReason['code'],
    subjects: readonly string[],
    after: string,
    limit: number,
  ): Promise<readonly string[]> {
    return this.#waiting(
      {
        name: 'inbox-waiting-for-subjects',
        text: `select stripe_event_id from ${SCHEMA}.inbox_parked
          where code = $1 and subject = any($2) and stripe_event_id > $3 order by stripe_event_id limit $4`,
      },
      [code, subjects.map(storable), after, limit],
    );
  }

  override waitingFor(code: ParkReason['code'], after: string, limit: number): Promise<readonly string[]> {
    return this.#waiting(
      {
        name: 'inbox-waiting-for',
        text: `select stripe_event_id from ${SCHEMA}.inbox_parked
          where code = $1 and stripe_event_id > $2 order by stripe_event_id limit $3`,
      },
      [code, after, limit],
    );
  }

  async #waiting(statement: { name: string; text: string }, values: readonly unknown[]): Promise<readonly string[]> {
    const rows = await this.#db.query<{ stripe_event_id: string }>({ ...statement, values });
    return rows.map((row) => row.stripe_event_id);
  }

  override waitingForAny(after: string, limit: number): Promise<readonly string[]> {
    return this.#waiting(
      {
        name: 'inbox-waiting-for-any',
        text: `select stripe_event_id from ${SCHEMA}.inbox_parked
          where stripe_event_id > $1 order by stripe_event_id limit $2`,
      },
      [after, limit],
    );
  }

  override async commit({ from, to, links, parked }: InboxChange): Promise<void> {
    // A crash of the server may lose this transaction as a whole; then the batch is worked off again, which changes nothing.
    await this.#db.transaction(
      async (transaction) => {
        await moveCheckpoint(transaction, 'inbox', from, to);
        if (links.size > 0) {
          await transaction.query({
            name: 'inbox-link',
            text: `insert into ${SCHEMA}.inbox_links (stripe_customer_id, customer_id, owners)
            select * from unnest($1::text[], $2::text[], $3::text[])
            on conflict (stripe_customer_id) do update set customer_id = excluded.customer_id, owners = excluded.owners`,
            values: [
              [...links.keys()],
              [...links.values()].map((owners) => owners.at(-1)?.customerId),
              [...links.values()].map((owners) => JSON.stringify(owners)),
            ],
          });
        }
        if (parked.size === 0) return;
        await transaction.query({
          name: 'inbox-forget',
          text: `delete from ${SCHEMA}.inbox_parked where stripe_event_id = any($1)`,
          values: [[...parked.keys()]],
        });
        const waiting = [...parked].flatMap(([id, reason]) => (reason === null ? [] : [{ id, reason }]));
        await transaction.query({
          name: 'inbox-park',
          text: `insert into ${SCHEMA}.inbox_parked (stripe_event_id, code, subject)
          select * from unnest($1::text[], $2::text[], $3::text[])`,
          values: [
            waiting.map(({ id }) => id),
            waiting.map(({ reason }) => reason.code),
            waiting.map(({ reason: { subject } }) => (subject === null ? null : storable(subject))),
          ],
        });
      },
      { settings: { synchronous_commit: 'off' } },
    );
  }
}
