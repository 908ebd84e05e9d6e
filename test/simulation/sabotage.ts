/** Bugs that can be planted, one at a time, to show that the simulation finds them. */
export const sabotages = [
  'skips-revision-check',
  'acknowledges-unstored',
  'unknown-told-as-failed',
  'reads-stale-replica',
  'drops-key',
  'spends-expired',
  'leaks-on-release',
  'checkpoint-before-rows',
  'projection-not-fenced',
  'subscription-skips-one',
  'inbox-drops-key',
  'settler-moves-first',
  'transfers-move-first',
  'transfers-drop-key',
  'unknown-taken-for-refused',
  'trusts-lagging-index',
  'forgets-old-keys',
  'forgets-uses',
  'forgets-budget-counts',
] as const;

export type Sabotage = (typeof sabotages)[number];
