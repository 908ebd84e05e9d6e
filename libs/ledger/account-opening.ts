import type { Recording } from './account-recording.js';

/** An account opens by itself with the first thing that is recorded in it. */
export function openAccount(recording: Recording): void {
  const { state } = recording;
  if (!state.opened) recording.record({ type: 'AccountOpened', customerId: state.customerId, unit: state.unit });
}
