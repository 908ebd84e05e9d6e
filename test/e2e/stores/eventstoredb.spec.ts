import { setTimeout as sleep } from 'node:timers/promises';
import { EventStoreDbDouble } from '../../support/eventstoredb/double.js';
import { installationOnEventStoreDb } from './eventstoredb.contract.js';

installationOnEventStoreDb(async () => {
  const double = new EventStoreDbDouble();
  await double.start();
  const restart = async (): Promise<void> => {
    double.stop();
    await sleep(1_000);
    await double.start();
  };
  return { url: double.url, restart, stop: () => double.stop() };
});
