import type { AccountCommand, AccountRefusal } from './commands.js';
import type { AccountEventOf, Settings } from './events.js';
import { compareForBurn } from './grants/burn-order.js';
import { type Recording, openAccount } from './recording.js';
import type { AccountState } from './state.js';

type Command<Type extends AccountCommand['type']> = Extract<AccountCommand, { type: Type }>;

/** Records each setting that really changes; where none does and the command is to be noted, the settings as they are. */
export function changeSettings(recording: Recording, command: Command<'ChangeSettings'>): null {
  let { settings } = recording.state;
  let isNoted = command.noted !== true;
  const change = (type: SettingsEvent, wanted: Partial<Settings>): void => {
    const next = { ...settings, ...wanted };
    if (JSON.stringify(next) === JSON.stringify(settings)) return;
    isNoted = true;
    openAccount(recording);
    settings = next;
    recording.record({ type, settings });
  };
  if (command.burnOrder !== undefined) change('BurnOrderChanged', { burnOrder: command.burnOrder });
  if (command.overdraftLimit !== undefined) change('OverdraftLimitChanged', { overdraftLimit: command.overdraftLimit });
  if (command.debtPolicy !== undefined) change('DebtPolicyChanged', { debtPolicy: command.debtPolicy });
  if (command.lowBalanceThreshold !== undefined)
    change('LowBalanceThresholdChanged', { lowBalanceThreshold: command.lowBalanceThreshold });
  if (!isNoted) {
    openAccount(recording);
    recording.record({ type: noteOf(command), settings });
  }
  return null;
}
const noteOf = (command: Command<'ChangeSettings'>): SettingsEvent => {
  if (command.overdraftLimit !== undefined) return 'OverdraftLimitChanged';
  if (command.debtPolicy !== undefined) return 'DebtPolicyChanged';
  return command.lowBalanceThreshold === undefined ? 'BurnOrderChanged' : 'LowBalanceThresholdChanged';
};

type SettingsEvent = 'BurnOrderChanged' | 'OverdraftLimitChanged' | 'DebtPolicyChanged' | 'LowBalanceThresholdChanged';

/** Stops or allows spending, or ends the account for good. Asked again, it changes nothing; it is recorded if it is to be noted. */
export function changeStatus(
  recording: Recording,
  command: Command<'FreezeAccount' | 'UnfreezeAccount' | 'CloseAccount'>,
): AccountRefusal | null {
  const { settings } = recording.state;
  const { type, status } = statusAfter[command.type];
  if (settings.status === status && command.noted !== true) return null;
  openAccount(recording);
  recording.record({ type, settings: { ...settings, status }, reason: command.reason });
  return null;
}
const statusAfter = {
  FreezeAccount: { type: 'AccountFrozen', status: 'frozen' },
  UnfreezeAccount: { type: 'AccountUnfrozen', status: 'active' },
  CloseAccount: { type: 'AccountClosed', status: 'closed' },
} as const;

type StatusEvent = 'AccountFrozen' | 'AccountUnfrozen' | 'AccountClosed';

/** Every event of the settings carries all of them. */
export function evolveSettings(
  state: AccountState,
  event: { [Type in SettingsEvent | StatusEvent]: AccountEventOf<Type> }[SettingsEvent | StatusEvent],
): AccountState {
  state.settings = event.settings;
  if (event.type === 'BurnOrderChanged')
    state.spendable = state.spendable.toSorted(compareForBurn(event.settings.burnOrder));
  return state;
}
