import type { Position, RecordedEvent } from './event-store.js';

/**
 * One of `of` parts of the log. All streams of one name, whatever their category and unit, are in the same part:
 * `account-acme`, `account-acme.tokens` and `customer-acme`.
 */
export type LogShare = { readonly index: number; readonly of: number };

/** What is read of the log: one share of its streams, from the first event to the one at `through`. */
export type LogShareRequest = { readonly databaseUrl: string; readonly share: LogShare; readonly through: Position };

/** Takes the next events of a share, in the order of the log. Must be done with them when it returns. */
export type TakeEvents = (events: readonly RecordedEvent[]) => void;
