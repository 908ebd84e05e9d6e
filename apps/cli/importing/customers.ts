import { randomUUID } from 'node:crypto';
import type { LedgerHandlers } from '#composition/ledger-handlers.js';
import type { Database } from '#database/database.js';
import { instantOf } from '#kernel/instant.js';
import { customerStream } from '#kernel/stream-name.js';
import type { CustomerCommand } from '#ledger/customer.js';
import { contactOf, putContact, type Contact } from '#records/contacts.js';
import { settledOutcome } from './settled-outcome.js';
import type { SourceCustomer } from './source.js';

const nobody: Contact = { name: null, email: null, metadata: {} };

type Known = {
  /** Why the customer takes nothing; null where they do. */
  readonly refusal: Promise<string | null>;
  readonly hasName: boolean;
  readonly hasEmail: boolean;
};

/**
 * Registers the customers of a source, each once in a run. A name or an address is only put where Scrip has none, so that a later
 * run changes nothing.
 */
export class CustomerImport {
  readonly #known = new Map<string, Known>();

  constructor(
    private readonly handler: LedgerHandlers['customer'],
    private readonly database: Database,
    private readonly dryRun: boolean,
  ) {}

  /** How many customers the source has named. */
  get count(): number {
    return this.#known.size;
  }

  /** Sees to it that a customer is registered. Null, or why nothing can be granted to them. Errors: those of the stores. */
  register(customer: SourceCustomer): Promise<string | null> {
    const known = this.#known.get(customer.id);
    const hasName = customer.name !== null || known?.hasName === true;
    const hasEmail = customer.email !== null || known?.hasEmail === true;
    if (known?.hasName === hasName && known.hasEmail === hasEmail) return known.refusal;
    const refusal = (known?.refusal ?? Promise.resolve(null)).then((before) => before ?? this.#register(customer));
    this.#known.set(customer.id, { refusal, hasName, hasEmail });
    return refusal;
  }

  async #register({ id, name, email }: SourceCustomer): Promise<string | null> {
    if (this.dryRun) {
      const { state } = await this.handler.load(customerStream(id));
      return state.erased ? erased : null;
    }
    const present = name === null && email === null ? nobody : ((await contactOf(this.database, id)) ?? nobody);
    const missing = {
      ...(name === null || present.name !== null ? {} : { name }),
      ...(email === null || present.email !== null ? {} : { email }),
    };
    const fields = (['name', 'email'] as const).filter((field) => missing[field] !== undefined);
    // The event comes first: a customer who was erased is refused before anything personal is stored.
    const refusal = await this.#run({ type: 'ChangeContact', customerId: id, fields });
    if (refusal !== null || fields.length === 0) return refusal;
    await putContact(this.database, id, missing, instantOf(this.database.clock.now()));
    return null;
  }

  async #run(command: CustomerCommand): Promise<string | null> {
    const outcome = await settledOutcome(this.database.clock, () =>
      this.handler.execute({
        stream: customerStream(command.customerId),
        command,
        key: null, // harmless to repeat: the state tells what is known
        origin: 'cli',
        fingerprint: null,
        actor: 'cli',
        causationId: null,
        correlationId: randomUUID(),
      }),
    );
    return outcome.kind === 'refused' ? erased : null;
  }
}

const erased = 'the personal data of the customer was erased: nothing is imported for them';
