import type { Subject } from './subject.js';
import { balanceOf, type Books } from '../model/books.js';

/** Where the credits of each grant are, what claims ask of those who were given some, and the balance: as the ledger has them. */
export const placesOf = ({ state }: Subject): unknown => ({
  balance: state.balance,
  grants: [...state.grants.values()].map(
    ({ id, scheduled, free, held, consumed, expired, revoked, repaid, transferred }) => {
      const asked = [...state.transfers.values()]
        .flatMap(({ lots }) => lots.filter(({ grantId }) => grantId === id))
        .flatMap(({ claims }) => claims);
      const passedOn = { taken: 0, reserved: 0 };
      for (const { state: kind, amount } of asked) passedOn[kind] += amount;
      return {
        scheduled: scheduled ? free : 0,
        free: scheduled ? 0 : free,
        ...{ held, consumed, expired, revoked, repaid, transferred, passedOn },
      };
    },
  ),
});
/** The same as the model has them. */
export const placesIn = (books: Books): unknown => ({
  balance: balanceOf(books),
  grants: books.grants.map(({ scheduled, free, held, consumed, expired, revoked, repaid, transferred, passedOn }) => ({
    ...{ scheduled, free, held, consumed, expired, revoked, repaid, transferred, passedOn },
  })),
});
