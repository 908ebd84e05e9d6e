import { assert } from '#kernel/assert.js';
import { installationOnEventStoreDb } from './eventstoredb.contract.js';

const url = process.env['EVENTSTORE_URL'] ?? '';
assert(url !== '', 'EVENTSTORE_URL names the server to be tried');

installationOnEventStoreDb(() => Promise.resolve({ url, stop: () => undefined }));
