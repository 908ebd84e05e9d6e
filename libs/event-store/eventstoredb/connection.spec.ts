import { describe, expect, test } from '@jest/globals';
import { connectionTo } from './connection.js';

describe('the credentials of a connection string', () => {
  test.each([
    ['esdb://ada:secret@db.example', 'ada', 'secret'],
    ['esdb+discover://ada:secret@db.example:2113/?keepAliveInterval=20000', 'ada', 'secret'],
    ['esdb://a%40b:p%3A%2F%40%25@one:2113,two:2113', 'a@b', 'p:/@%'],
    ['kurrentdb://ada:secret@db.example?tls=true', 'ada', 'secret'],
    ['esdb://ada:secret@127.0.0.1:2113?tls=false', 'ada', 'secret'],
  ])('%s', (url, username, password) => {
    expect(connectionTo(url).credentials).toEqual({ username, password });
  });

  test.each(['esdb://127.0.0.1:2113?tls=false', 'esdb://127.0.0.1?connectionName=a%40b&tls=false'])(
    'without TLS there need be none: %s',
    (url) => {
      expect(connectionTo(url).credentials).toEqual({ username: 'scrip', password: 'scrip' });
    },
  );

  test.each([
    'esdb://db.example',
    'esdb+discover://db.example:2113?tls=true',
    'esdb://db.example?userCertFile=a.crt&userKeyFile=a.key',
  ])('with TLS they are needed: %s', (url) => {
    expect(() => connectionTo(url)).toThrow('needs a user and a password');
  });
});

test.each([
  'esdb://ada:hunter2@',
  'esdb://ada@db.example',
  'esdb://ada:hunter2@db.example:port',
  'esdb://ada:hunter2%zz@db.example',
  'http://ada:hunter2@db.example',
  'esdb://ada:hunter2@db.example?tls=perhaps',
  '',
])('what cannot be understood is not quoted: %s', (url) => {
  expect(() => connectionTo(url)).toThrow(/^the EventStoreDB connection string cannot be understood$/);
});
