import { afterAll, afterEach, beforeAll, beforeEach, describe } from '@jest/globals';
import type { EventStore } from '#event-store/port/event-store.js';
import { appendContract } from './appends.contract.js';
import { interruptionContract } from './interruptions.contract.js';
import { readContract } from './reads.contract.js';
import { subscriptionContract } from './subscriptions.contract.js';

/** One log, which may hold events of earlier tests, and the ways to reach and to disturb it. */
export type ContractLog = {
  /** A new client of the log, like a process that starts. The suite closes it. */
  open(): Promise<EventStore>;
  /** Breaks all connections, or restarts the server; resolves when it can be reached again. Null when there is nothing to break. */
  readonly interrupt: (() => Promise<void>) | null;
  remove(): Promise<void>;
};

/** What the tests of the suite work with: `store` is fresh for each test, `open` gives further clients of the same log. */
export type Contract = {
  readonly store: EventStore;
  open(): Promise<EventStore>;
  readonly log: ContractLog;
};

/** The promises of the port `EventStore`, for any adapter. `createLog` is called once. */
export function eventStoreContract(name: string, createLog: () => Promise<ContractLog>): void {
  describe(`event store contract: ${name}`, () => {
    let log: ContractLog | undefined;
    let store: EventStore | undefined;
    const opened: EventStore[] = [];
    const present = <Value>(value: Value | undefined): Value => {
      if (value === undefined) throw new Error('used outside a test');
      return value;
    };
    const contract: Contract = {
      get store() {
        return present(store);
      },
      get log() {
        return present(log);
      },
      open: async () => {
        const client = await present(log).open();
        opened.push(client);
        return client;
      },
    };

    beforeAll(async () => {
      log = await createLog();
    });
    beforeEach(async () => {
      store = await contract.open();
    });
    afterEach(async () => {
      await Promise.all(opened.splice(0).map((client) => client.close()));
    });
    afterAll(async () => {
      await log?.remove();
    });

    describe('appends', () => {
      appendContract(contract);
    });
    describe('reads', () => {
      readContract(contract);
    });
    describe('subscriptions', () => {
      subscriptionContract(contract);
    });
    describe('interruptions', () => {
      interruptionContract(contract);
    });
  });
}
