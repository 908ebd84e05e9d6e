import type { ProblemCode } from '../http/problems.js';

/** Where decorators leave what the document is completed with; it is no part of the document. */
export const routeFacts = 'x-route-facts';

/** What is known of a route besides what Nest collects. */
export type RouteFacts = {
  readonly problems: readonly ProblemCode[];
  /** Whether it takes an Idempotency-Key. */
  readonly key?: 'required' | 'optional';
  /** Whether it takes the unit of an account in its query. */
  readonly unit?: boolean;
};

/** Where a route leaves that it offers a dry run. */
export const canDryRun = 'x-can-dry-run';

/** Where a route leaves that the people of a customer may use it. */
export const forPeople = 'x-for-people';
