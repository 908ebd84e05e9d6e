import { Injectable } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import { EventStore, type RecordedEvent } from '#event-store/port/event-store.js';
import { Clock } from '#kernel/clock.js';
import { instantOf } from '#kernel/instant.js';
import { canonicalJson } from '#kernel/json.js';
import { accountStream, customerStream, DEFAULT_UNIT } from '#kernel/stream-name.js';
import { contactFields, stripeCustomersOf, type ContactField } from '#ledger/customer.js';
import { customerById } from '#projections/customers/queries.js';
import { contactOf, putContact, type Contact } from '#records/contacts.js';
import { Database } from '#database/database.js';
import { StripeContacts } from '../billing/stripe/contacts.js';
import { Answer, answerOf } from '../http/answer.js';
import { CustomerWriter } from '../writes/ledger-writers.js';
import { asDryRun } from '../http/dry-run.js';
import { customerRequest, RunCustomerCommand } from './run-customer-command.js';
import type { CustomerBody } from './customer.dto.js';

/** Registers customers: the log learns that they exist and which fields changed, their content goes to the contacts. */
@Injectable()
export class CustomerRecords {
  constructor(
    private readonly commands: CommandBus,
    private readonly customers: CustomerWriter,
    private readonly store: EventStore,
    private readonly database: Database,
    private readonly stripeContacts: StripeContacts,
    private readonly clock: Clock,
  ) {}

  /** 201 when the customer was not registered before, else 200. May be repeated. In a dry run it answers the same and keeps nothing. */
  async put(
    customerId: string,
    body: CustomerBody,
    { actor, requestId, dryRun }: { readonly actor: string; readonly requestId: string; readonly dryRun: boolean },
  ): Promise<Answer> {
    const change = changeOf(body);
    const present = (await contactOf(this.database, customerId)) ?? nobody;
    const fields = contactFields.filter((field) => differs(change, present, field));
    const command = { type: 'ChangeContact', customerId, fields } as const;
    const outcome = dryRun
      ? await this.customers.preview(customerRequest(command, actor, requestId))
      : await this.commands.execute(new RunCustomerCommand(command, actor, requestId));
    // The event comes first: a customer who was erased is refused before anything personal is stored.
    if (outcome.kind !== 'recorded' && outcome.kind !== 'unchanged' && outcome.kind !== 'would_record')
      return answerOf(
        outcome,
        requestId,
        () => ({}),
        () => ({}),
      );
    const isNew =
      outcome.kind !== 'unchanged' && outcome.events.some(({ event }) => event.type === 'CustomerRegistered');
    const status = isNew ? 201 : 200;
    if (dryRun) return asDryRun(new Answer(status, await this.#body(customerId, { ...present, ...change })));
    const contact =
      fields.length === 0 ? present : await putContact(this.database, customerId, change, instantOf(this.clock.now()));
    // Also where nothing changed: the request that changed it may have ended before this.
    await this.stripeContacts.intend({ customerId, actor, requestId });
    return new Answer(status, await this.#body(customerId, contact));
  }

  async #body(customerId: string, contact: Contact): Promise<object> {
    const stream = customerStream(customerId);
    const { state, position } = await this.customers.load(stream);
    const createdAt = await this.#createdAt(customerId);
    return {
      id: customerId,
      ...contact,
      stripeCustomerId: stripeCustomersOf(state)[0] ?? null,
      createdAt,
      erasedAt: null,
      position,
    };
  }

  /** When the customer was first seen, by registration or by an account: as the read model has it, or will have it. */
  async #createdAt(customerId: string): Promise<string | null> {
    const known = await customerById(this.database, customerId);
    if (known !== null) return known.createdAt;
    const streams = [customerStream(customerId), accountStream(customerId, DEFAULT_UNIT)];
    const begun = await Promise.all(streams.map((stream) => this.store.readStream(stream, 0, 1)));
    const [first] = begun.flat().sort((a, b) => (a.position < b.position ? -1 : 1));
    return first === undefined ? null : atOf(first);
  }
}

const atOf = ({ data }: RecordedEvent): string => (JSON.parse(data) as { readonly at: string }).at;

const nobody: Contact = { name: null, email: null, metadata: {} };

const changeOf = (body: CustomerBody): Partial<Contact> => ({
  ...(body.name === undefined ? {} : { name: body.name }),
  ...(body.email === undefined ? {} : { email: body.email }),
  ...(body.metadata === undefined ? {} : { metadata: body.metadata ?? {} }),
});

const differs = (change: Partial<Contact>, present: Contact, field: ContactField): boolean =>
  change[field] !== undefined && canonicalJson(change[field]) !== canonicalJson(present[field]);
