import type { Subject } from './subject.js';
import { balanceOf, type Books } from '../model/books.js';

/** Where the credits of each grant are, and the balance: as the ledger has them. */
export const placesOf = ({ state }: Subject): unknown => ({
  balance: state.balance,
  grants: [...state.grants.values()].map(({ scheduled, free, held, consumed, expired, revoked, repaid }) => ({
    scheduled: scheduled ? free : 0,
    free: scheduled ? 0 : free,
    ...{ held, consumed, expired, revoked, repaid },
  })),
});
/** The same as the model has them. */
export const placesIn = (books: Books): unknown => ({
  balance: balanceOf(books),
  grants: books.grants.map(({ scheduled, free, held, consumed, expired, revoked, repaid }) => ({
    ...{ scheduled, free, held, consumed, expired, revoked, repaid },
  })),
});
