/** Lives that the generator plays against a running Scrip, in a process of its own. */
export type Batch = {
  /** Of the api, without a path. */
  readonly apiUrl: string;
  readonly apiKey: string;
  readonly webhookSecret: string;
  readonly databaseUrl: string;
  readonly firstSeed: number;
  readonly lives: number;
  /** None comes after it. */
  readonly last: boolean;
  /** Seconds: when the first life may begin, and now. */
  readonly start: number;
  readonly end: number;
};

export type BatchResult = {
  readonly webhooks: number;
  readonly consumptions: number;
  readonly statuses: Readonly<Record<string, number>>;
  /** To live the lives, to send what they made, until all of it was in the ledger and in every read model. */
  readonly seconds: {
    readonly lived: number;
    readonly sent: number;
    readonly settled: number;
    readonly audited: number;
  };
  /** What the audit against the books of the lives found. */
  readonly faults: readonly string[];
  /** What `scrip stripe reconcile` found; null before the last batch. */
  readonly reconciled: Reconciled | null;
  readonly generatorMiB: number;
};

/** How many events and objects were compared, how many differ, and the first of those. */
export type Reconciled = { readonly checked: number; readonly differences: number; readonly found: readonly object[] };
