import type { WriteStatistics } from '#event-store/write-limits.js';
import type { Answer } from '../http/outcomes.js';
import type { AccountOrder } from './account-order.js';

/**
 * Where the account commands of a process are carried out. Abstract class: the port and the injection token in one. The one write
 * path of all accounts stands behind it, in the same thread or in one of its own.
 */
export abstract class Accounts {
  /** What the write path has done since it started, as it was last heard. */
  abstract readonly statistics: WriteStatistics;

  /**
   * Carries a command out: exactly once per key, for ever. Commands of one account run in the order of the calls. Resolves with what
   * the caller is told, also of a failure; never rejects.
   */
  abstract answerOf(order: AccountOrder): Promise<Answer>;

  /** Resolves when commands can be carried out; does not while whatever carries them out stands still. */
  abstract responds(): Promise<void>;

  /** Lets what is under way end, then ends what was opened for it. */
  abstract close(): Promise<void>;
}
