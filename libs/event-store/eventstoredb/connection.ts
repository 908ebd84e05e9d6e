import { EventStoreDBClient, type Credentials } from '@eventstore/db-client';

/** A client and the credentials that every call carries. */
export type EventStoreDbConnection = {
  readonly client: EventStoreDBClient;
  readonly credentials: Credentials;
};

const form = /^(?:esdb|kurrentdb)(\+discover)?:\/\/(?:([^:@/?]+):([^@/?]+)@)?([^@/?]+(?:[/?].*)?)$/;
const withoutTls = /[?&]tls=false(?:&|$)/i;
/** A server without TLS ignores them. */
const ignored: Credentials = { username: 'scrip', password: 'scrip' };

/**
 * Reads a connection string (`esdb://…`); connects when the client is first used. Credentials are taken out of it: calls name
 * them, since the client has no other public way to the path of single appends, and its warnings quote the string that it gets.
 * Throws, without quoting the string, when it cannot be understood, or names no user for a server with TLS.
 */
export function connectionTo(url: string): EventStoreDbConnection {
  const [matched, discover = '', username, password, rest = ''] = form.exec(url.trim()) ?? [];
  if (matched === undefined) throw new Error(NOT_UNDERSTOOD);
  const credentials = username === undefined || password === undefined ? null : decoded(username, password);
  if (credentials === null && !withoutTls.test(rest))
    throw new Error(
      'EventStoreDB with TLS needs a user and a password in the connection string: esdb://user:password@host',
    );
  try {
    const client = EventStoreDBClient.connectionString(`esdb${discover}://${rest}`);
    return { client, credentials: credentials ?? ignored };
  } catch {
    throw new Error(NOT_UNDERSTOOD);
  }
}

function decoded(username: string, password: string): Credentials {
  try {
    return { username: decodeURIComponent(username), password: decodeURIComponent(password) };
  } catch {
    throw new Error(NOT_UNDERSTOOD);
  }
}

const NOT_UNDERSTOOD = 'the EventStoreDB connection string cannot be understood';
