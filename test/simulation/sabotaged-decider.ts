import type { Codec, CommandRequest } from '#event-store/writing/command.js';
import { CommandHandler } from '#event-store/writing/command-handler.js';
import type { WriteLimits } from '#event-store/writing/limits.js';
import type { EventStore } from '#event-store/port/event-store.js';
import type { KeyIndex } from '#event-store/port/key-index.js';
import type { SnapshotStore } from '#event-store/port/snapshots.js';
import type { Clock } from '#kernel/clock.js';
import { LayeredMap } from '#kernel/layered-map.js';
import { isRefused, type Decider } from '#kernel/decider.js';
import type { AccountCommand, AccountRefusal } from '#ledger/account/commands.js';
import type { AccountEvent } from '#ledger/account/events.js';
import { forkAccount, type AccountState } from '#ledger/account/state.js';
import { ledgerCodec } from '#ledger/events.js';
import type { Counts } from '#ledger/usage/counts.js';
import { usageDecider } from '#ledger/usage/usage.js';
import type { Sabotage } from './sabotage.js';

type AccountDecider = Decider<AccountCommand, AccountEvent, AccountState, AccountRefusal>;
type Parts = {
  store: EventStore;
  snapshots: SnapshotStore;
  keys: KeyIndex | null;
  clock: Clock;
  limits: Partial<WriteLimits>;
};

/** The account's write path, with the planted bug if it sits in the rules or in how they are called. */
export function sabotaged(
  sabotage: Sabotage | null,
  decider: AccountDecider,
  parts: Parts,
): CommandHandler<AccountCommand, AccountEvent, AccountState, AccountRefusal> {
  const codec: Codec<AccountEvent> = ledgerCodec;
  const handler = new CommandHandler(withBug(sabotage, decider), { ...parts, codec });
  if (sabotage !== 'drops-key') return handler;
  const execute = handler.execute.bind(handler);
  handler.execute = (request: CommandRequest<AccountCommand>) => execute({ ...request, key: null });
  return handler;
}

/** The write path of usage, perhaps one that decides without the newest of what was used. */
export function usageHandler(sabotage: Sabotage | null, parts: Parts) {
  const forgetful: typeof usageDecider = {
    ...usageDecider,
    decide: (state, command, moment) => {
      const decided = moment.revision % 3 === 2 ? { ...state, features: LayeredMap.empty<string, Counts>() } : state;
      return usageDecider.decide(decided, command, moment);
    },
  };
  const decider = sabotage === 'forgets-uses' ? forgetful : usageDecider;
  return new CommandHandler(decider, { ...parts, codec: ledgerCodec });
}

function withBug(sabotage: Sabotage | null, decider: AccountDecider): AccountDecider {
  if (sabotage === 'spends-expired') {
    return {
      ...decider,
      decide: (state, command, moment) => {
        if (command.type !== 'ConsumeCredits') return decider.decide(state, command, moment);
        return decider.decide({ ...forkAccount(state), timeline: [] }, command, moment);
      },
    };
  }
  if (sabotage === 'leaks-on-release') {
    return {
      ...decider,
      decide: (state, command, moment) => {
        const decision = decider.decide(state, command, moment);
        if (isRefused<AccountEvent, AccountRefusal>(decision)) return decision;
        return decision.map((event) => {
          if (event.type !== 'HoldReleased') return event;
          return { ...event, balance: { ...event.balance, available: event.balance.available - 1 } };
        });
      },
    };
  }
  if (sabotage === 'forgets-budget-counts') {
    return {
      ...decider,
      decide: (state, command, moment) => {
        const spends = command.type === 'ConsumeCredits' || command.type === 'HoldCredits';
        if (!spends || moment.revision % 3 !== 2) return decider.decide(state, command, moment);
        const forgotten = [...state.budgets.entries()].map(([scope, budget]) => {
          const count = { ...budget.count, used: 0, held: 0 };
          return [scope, { ...budget, count }] as const;
        });
        return decider.decide({ ...forkAccount(state), budgets: LayeredMap.from(forgotten) }, command, moment);
      },
    };
  }
  return decider;
}
