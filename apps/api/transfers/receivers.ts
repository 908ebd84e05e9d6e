import { Injectable } from '@nestjs/common';
import { receiverOf } from '#composition/receiver.js';
import { AccountWriter, CustomerWriter } from '../writes/ledger-writers.js';

/** Who is to receive credits, as the log has them. */
@Injectable()
export class Receivers {
  constructor(
    private readonly account: AccountWriter,
    private readonly customer: CustomerWriter,
  ) {}

  /** Whether the customer can receive credits of a unit now. */
  look(customerId: string, unit: string): ReturnType<typeof receiverOf> {
    return receiverOf({ account: this.account, customer: this.customer }, customerId, unit);
  }
}
