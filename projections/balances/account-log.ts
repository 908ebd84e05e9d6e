import type { StreamName } from '#kernel/stream-name.js';
import type { AccountState } from '#ledger/account/state.js';

/** An account as its events up to `revision` left it. */
export type LoggedAccount = { readonly state: AccountState; readonly revision: number };

/** Accounts folded from the log: for what the rows of a read model cannot tell, which is what time has done since. */
export abstract class AccountLog {
  /** The account after the event at `revision`, or its newest where there is none. The state belongs to the caller. */
  abstract load(stream: StreamName, moment: { readonly revision: number }): Promise<LoggedAccount>;
}
