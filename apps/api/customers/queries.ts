import { type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs';
import { customersProjection } from '#projections/customers/customers.js';
import { customerById, searchCustomers, type Customer } from '#projections/customers/queries.js';
import type { Cursor, Page } from '#database/page.js';
import { FreshReads, type Fresh, type ReadRequest } from '../reads/freshness.js';

/** One customer; null when there is none, or none that the caller may see. */
export class GetCustomer extends Query<Fresh<Customer | null>> {
  constructor(
    readonly customerId: string,
    readonly request: ReadRequest,
  ) {
    super();
  }
}

@QueryHandler(GetCustomer)
export class GetCustomerHandler implements IQueryHandler<GetCustomer> {
  constructor(private readonly reads: FreshReads) {}

  execute({ customerId, request }: GetCustomer): Promise<Fresh<Customer | null>> {
    return this.reads.read(request, customersProjection.name, (reader) => customerById(reader, customerId));
  }
}

/** Customers whose id, name or address contains the text; all when it is null. */
export class SearchCustomers extends Query<Fresh<Page<Customer>>> {
  constructor(
    readonly text: string | null,
    readonly limit: number,
    readonly cursor: Cursor | null,
    readonly request: ReadRequest,
  ) {
    super();
  }
}

@QueryHandler(SearchCustomers)
export class SearchCustomersHandler implements IQueryHandler<SearchCustomers> {
  constructor(private readonly reads: FreshReads) {}

  execute({ text, limit, cursor, request }: SearchCustomers): Promise<Fresh<Page<Customer>>> {
    return this.reads.read(request, customersProjection.name, (reader) => searchCustomers(reader, text, limit, cursor));
  }
}
