import { EventStoreDbDouble } from '../../support/eventstoredb/double.js';
import { installationOnEventStoreDb } from './eventstoredb.contract.js';

installationOnEventStoreDb(async () => {
  const double = new EventStoreDbDouble();
  await double.start();
  return { url: double.url, stop: () => double.stop() };
});
