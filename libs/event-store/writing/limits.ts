/** Every bound of the write path. */
export type WriteLimits = {
  /** Commands that may wait in one lane, and in all lanes of the process. */
  readonly laneLength: number;
  readonly waiting: number;
  /** Commands decided together, and bytes of events written together; a single command may have as many as the store takes. */
  readonly batchCommands: number;
  readonly batchBytes: number;
  /** Streams kept folded in memory. */
  readonly cachedStreams: number;
  /** Tries against other processes that write the same stream. */
  readonly conflictRetries: number;
  /** How long an unknown outcome is tried to be settled before the caller is told. */
  readonly settleMs: number;
  /**
   * Newest commands of a stream whose keys are known without asking the store: at least half of so many; at most so many, and
   * ten times that while the index of keys lags behind.
   */
  readonly rememberedKeys: number;
  /** Events after which a stream's state is kept in a snapshot. */
  readonly snapshotEvery: number;
};

export const defaultLimits: WriteLimits = {
  laneLength: 5_000,
  waiting: 20_000,
  batchCommands: 500,
  batchBytes: 512 * 1024,
  cachedStreams: 20_000,
  conflictRetries: 12,
  settleMs: 8_000,
  rememberedKeys: 3_000,
  snapshotEvery: 500,
};

/** Figures for operators: what the write path has done since it started. */
export type WriteStatistics = {
  batches: number;
  commands: number;
  events: number;
  conflicts: number;
  duplicates: number;
  unknownOutcomes: number;
  waiting: number;
};
