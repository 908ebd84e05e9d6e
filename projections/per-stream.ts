import type { LedgerEvent } from '#ledger/events.js';
import type { ExpectedRow, Oracle } from '#projecting/projection.js';
import type { Projected } from './ledger-projection.js';

/** An oracle's fold of one stream at a time, into one row or none. */
type StreamFold<State> = {
  readonly table: string;
  readonly initial: State;
  /** The state after an event; may be the same object, but not one of another stream. */
  readonly after: (state: State, projected: Projected) => State;
  readonly row: (state: State, stream: string) => ExpectedRow['row'] | null;
};

/** The oracle of a read model with at most one row for each stream. */
export const perStream = <State>({ table, initial, after, row }: StreamFold<State>): Oracle<LedgerEvent> => ({
  keyOf: ({ stream }) => stream,
  fold: () => {
    const streams = new Map<string, State>();
    return {
      add: (projected) => {
        const { stream } = projected.recorded;
        streams.set(stream, after(streams.get(stream) ?? initial, projected));
        return [];
      },
      *rest() {
        for (const [stream, state] of streams) {
          const expected = row(state, stream);
          if (expected !== null) yield { table, row: expected };
        }
      },
    };
  },
});
