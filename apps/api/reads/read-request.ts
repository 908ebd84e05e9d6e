import { START, type Position } from '#event-store/port/event-store.js';
import type { Caller } from '../http/caller.js';
import type { ReadRequest } from './freshness.js';
import type { FreshnessQuery } from './queries.dto.js';

/** A position as callers send it, with the leading zeros that make it comparable. */
export const positionFrom = (text: string): Position => text.padStart(START.length, '0');

/** Who reads and how fresh it must be, from a checked query. */
export const readRequest = (query: FreshnessQuery, caller: Caller | null): ReadRequest => ({
  ownCustomerId: caller?.ownCustomerId ?? null,
  minPosition: query.minPosition === undefined ? null : positionFrom(query.minPosition),
  waitMs: Number(query.waitMs ?? 2_000),
});
