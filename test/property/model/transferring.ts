import type { AccountCommand } from '#ledger/account/commands.js';
import { balanceOf, refuse, sum } from './books.js';
import { Spending } from './spending.js';

type Command<Type extends AccountCommand['type']> = Extract<AccountCommand, { type: Type }>;

/** Credits that are given to other customers, and by them. */
export class Transferring extends Spending {
  protected send({ toCustomerId, amount, reason, receiver }: Command<'TransferCredits'>): void {
    if (this.books.settings.status === 'frozen') refuse('account_frozen');
    if (receiver === 'closed') refuse('account_closed');
    if (receiver === 'unknown') refuse('customer_not_found');
    if (amount > balanceOf(this.books).available) this.insufficient(amount);
    const uses = this.choose(amount).map((part) => this.use(part.grant, 'free', 'transferred', part.amount));
    const number = this.books.transfers.push({ toCustomerId, uses, open: true }) - 1;
    this.emit('TransferSent', {
      transferId: `tr#${String(number)}`,
      toCustomerId,
      amount,
      lots: uses.map((use) => {
        const { priority, effectiveAt, expiresAt, paymentReference } = this.books.grants[use.grant]!;
        return { ...this.slice(use), priority, effectiveAt, expiresAt, paymentReference };
      }),
      burnOrder: this.burnOrder(),
      reason,
    });
  }

  protected receive({ transferId, fromCustomerId, reason, lots, erased }: Command<'ReceiveTransfer'>): void {
    if (erased) refuse('customer_erased');
    const amount = sum(lots.map((lot) => lot.amount));
    if (sum(this.books.grants.map((grant) => grant.amount)) > Number.MAX_SAFE_INTEGER - amount)
      refuse('balance_limit_exceeded');
    this.open();
    this.emit('TransferReceived', { transferId, fromCustomerId, amount, reason });
    for (const { grantId, cost, ...lot } of lots)
      this.add({ ...lot, costBasis: cost, received: { transferId, fromCustomerId, grantId } });
  }

  /** All of it goes back to where it was, with the money that went along. */
  protected takeBack({ transferId, because }: Command<'ReturnTransfer'>): void {
    const transfer = this.books.transfers.find((each, index) => each.open && transferId === `tr#${String(index)}`);
    if (transfer === undefined) return;
    transfer.open = false;
    const restored = transfer.uses.map((use) => this.giveBack(use, 'transferred', use.amount));
    this.emit('TransferReturned', {
      transferId,
      toCustomerId: transfer.toCustomerId,
      amount: sum(restored.map((use) => use.amount)),
      restored: restored.map((use) => this.slice(use)),
      because,
    });
  }

  /** The newest version counts, where the lot has arrived. */
  protected follow({ transferId, grantId, version, claims }: Command<'FollowClaims'>): void {
    const lot = `${transferId} ${grantId}`;
    const grant = this.books.grants.find((each) => each.lot === lot);
    if (grant === undefined || (this.books.payments[lot]?.version ?? -1) >= version) return;
    this.books.payments[lot] = { version, paid: grant.amount, claims: claims as never };
  }
}
