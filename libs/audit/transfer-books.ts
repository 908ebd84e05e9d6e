import type { Amount } from '#kernel/amount.js';
import { accountOf } from '#kernel/stream-name.js';
import type { AccountEvent, AccountEventOf } from '#ledger/account/events.js';

/** A transfer as its sender recorded it, and how it ended. */
type Sent = {
  readonly from: string;
  readonly to: string;
  readonly unit: string;
  readonly amount: Amount;
  /** Of each lot its grant and its amount, with the money that it takes along. */
  readonly lots: ReadonlyMap<string, string>;
  end: 'none' | 'received' | 'returned';
  /** What of the lots has become grants of the receiver. */
  readonly arrived: Set<string>;
};

/**
 * Follows credits from account to account, apart from the ledger's own rules: what arrives was sent, to this customer, once and whole; it
 * arrives or comes back, never both.
 */
export class TransferBooks {
  readonly #sent = new Map<string, Sent>();

  /** Enters an event of an account. Answers what it contradicts, or null. */
  enter(stream: string, event: AccountEvent): string | null {
    switch (event.type) {
      case 'TransferSent':
        return this.#send(stream, event);
      case 'TransferReceived':
        return this.#receive(stream, event);
      case 'CreditsGranted':
        return event.received === undefined ? null : this.#arrive(event, event.received);
      case 'TransferReturned':
        return this.#return(stream, event);
      default:
        return null;
    }
  }

  /** What is wrong when the log is at its end; null when nothing is. What waits for its receiver is in order. */
  close(): string | null {
    for (const [id, { end, arrived, lots }] of this.#sent)
      if (end === 'received' && arrived.size !== lots.size)
        return `transfer ${id} was received, and ${String(lots.size - arrived.size)} of its lots became no grants`;
    return null;
  }

  #send(stream: string, event: AccountEventOf<'TransferSent'>): string | null {
    const { transferId: id, toCustomerId: to, amount, lots } = event;
    const account = accountOf(stream);
    if (account === null || this.#sent.has(id)) return `transfer ${id} was sent before`;
    if (account.customerId === to) return `transfer ${id} goes to its own sender`;
    const sum = lots.reduce((all, lot) => all + lot.amount, 0);
    if (sum !== amount) return `the lots of transfer ${id} sum up to ${String(sum)}, not to ${String(amount)}`;
    this.#sent.set(id, {
      ...{ from: account.customerId, to, unit: account.unit, amount, end: 'none', arrived: new Set() },
      lots: new Map(lots.map((lot) => [lot.grantId, worthOf(lot.amount, lot.cost)])),
    });
    return null;
  }

  #receive(stream: string, event: AccountEventOf<'TransferReceived'>): string | null {
    const { transferId: id, fromCustomerId, amount } = event;
    const sent = this.#sent.get(id);
    const account = accountOf(stream);
    if (sent === undefined) return `transfer ${id} was never sent`;
    if (sent.end !== 'none') return `transfer ${id} was ${sent.end} before`;
    if (account?.customerId !== sent.to || account.unit !== sent.unit || fromCustomerId !== sent.from)
      return `transfer ${id} was sent from ${sent.from} to ${sent.to} in ${sent.unit}`;
    if (amount !== sent.amount) return `of transfer ${id} ${String(sent.amount)} were sent`;
    sent.end = 'received';
    return null;
  }

  #arrive(
    { amount, costBasis }: AccountEventOf<'CreditsGranted'>,
    { transferId: id, grantId }: { readonly transferId: string; readonly grantId: string },
  ): string | null {
    const sent = this.#sent.get(id);
    if (sent?.end !== 'received') return `a grant is of transfer ${id}, which was not received`;
    if (sent.arrived.has(grantId) || sent.lots.get(grantId) !== worthOf(amount, costBasis))
      return `a grant is not what transfer ${id} took of ${grantId}, or not the first of it`;
    sent.arrived.add(grantId);
    return null;
  }

  #return(stream: string, event: AccountEventOf<'TransferReturned'>): string | null {
    const { transferId: id, restored } = event;
    const sent = this.#sent.get(id);
    if (sent === undefined || accountOf(stream)?.customerId !== sent.from) return `transfer ${id} was never sent`;
    if (sent.end !== 'none') return `transfer ${id} was ${sent.end} before`;
    const isWhole =
      restored.length === sent.lots.size &&
      restored.every(({ grantId, amount, cost }) => sent.lots.get(grantId) === worthOf(amount, cost));
    if (!isWhole) return `what comes back of transfer ${id} is not what was sent`;
    sent.end = 'returned';
    return null;
  }
}

const worthOf = (amount: Amount, cost: { readonly amount: number; readonly currency: string } | null): string =>
  cost === null ? String(amount) : `${String(amount)} for ${String(cost.amount)} ${cost.currency}`;
