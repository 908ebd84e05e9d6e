import shared from '@eventstore/db-client/generated/shared_pb.js';
import statuses from '@eventstore/db-client/generated/status_pb.js';
import streams from '@eventstore/db-client/generated/streams_pb.js';
import { describe, expect, test } from '@jest/globals';
import any from 'google-protobuf/google/protobuf/any_pb.js';
import { appendOf } from '../../../test/support/eventstoredb-appends.js';
import { NO_STREAM, type AppendRequest } from '../event-store.js';
import { decodeAnswer, decodeRead, encodeAppend } from './eventstoredb-wire.js';

/* The messages made byte by byte against the generated classes of the client. */

const texts = ['', 'plain', 'é😀\u2028', '"'.repeat(127), 'x'.repeat(128), 'ü'.repeat(20_000)];

describe('an append', () => {
  const withData = (request: AppendRequest, data: string): AppendRequest => ({
    ...request,
    events: request.events.map((event) => ({ ...event, data: JSON.stringify(data) })),
  });

  test.each(texts)('is what the generated classes read (%#)', (text) => {
    const request = { ...withData(appendOf('account-ä', 3), text), expectedRevision: 2 ** 40 };
    const { message, bytes } = encodeAppend(request, 0xabcdef);
    const read = streams.BatchAppendReq.deserializeBinary(message);
    expect(read.getCorrelationId()?.getString()).toBe('00000000-0000-4000-8000-000000abcdef');
    expect(read.getIsFinal()).toBe(true);
    expect(read.getOptions()?.getStreamPosition()).toBe(String(2 ** 40));
    expect(Buffer.from(read.getOptions()!.getStreamIdentifier()!.getStreamName_asU8()).toString()).toBe('account-ä');
    const proposed = read.getProposedMessagesList();
    expect(proposed.map((event) => Buffer.from(event.getData_asU8()).toString())).toEqual(
      request.events.map(({ data }) => data),
    );
    for (const [index, event] of proposed.entries()) {
      const { hash, prevHash, id } = request.events[index]!;
      expect(event.getId()?.getString()).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-a[0-9a-f]{3}-[0-9a-f]{12}$/);
      expect(new Map(event.getMetadataMap().entries())).toEqual(
        new Map([
          ['type', 'Tested'],
          ['content-type', 'application/json'],
        ]),
      );
      expect(JSON.parse(Buffer.from(event.getCustomMetadata_asU8()).toString())).toMatchObject({ hash, prevHash, id });
    }
    const stored = proposed.map((event) => event.getData_asU8().length + event.getCustomMetadata_asU8().length + 6);
    expect(bytes).toBe(stored.reduce((sum, size) => sum + size));
  });

  test('of a stream that must not exist says so', () => {
    const read = streams.BatchAppendReq.deserializeBinary(encodeAppend(appendOf('account-1'), 1).message);
    expect(read.getOptions()?.hasNoStream()).toBe(true);
  });
});

describe('an answer to an append', () => {
  const answer = (): InstanceType<typeof streams.BatchAppendResp> =>
    new streams.BatchAppendResp()
      .setCorrelationId(new shared.UUID().setString('00000000-0000-4000-8000-000000000102'))
      .setStreamIdentifier(new shared.StreamIdentifier().setStreamName('eA=='));
  const decoded = (message: { serializeBinary(): Uint8Array }): ReturnType<typeof decodeAnswer> =>
    decodeAnswer(Buffer.from(message.serializeBinary()));

  test.each([
    ['18446744073709551615', null],
    ['0', '0000000000000000000'],
    ['9007199254740991', '0009007199254740991'],
  ])('with commit position %s', (commit, position) => {
    const place = new shared.AllStreamPosition().setCommitPosition(commit).setPreparePosition(commit);
    const success = new streams.BatchAppendResp.Success().setCurrentRevision('4').setPosition(place);
    expect(decoded(answer().setSuccess(success))).toEqual({
      count: 0x102,
      result: { kind: 'success', revision: 4, position },
    });
  });

  test('without a position', () => {
    const success = new streams.BatchAppendResp.Success().setCurrentRevision('300').setNoPosition(new shared.Empty());
    expect(decoded(answer().setSuccess(success)).result).toEqual({ kind: 'success', revision: 300, position: null });
  });

  const refused = (details: { serializeBinary(): Uint8Array }, name: string): ReturnType<typeof decodeAnswer> => {
    const packed = new any.Any();
    packed.pack(details.serializeBinary(), `event_store.client.${name}`);
    return decoded(answer().setError(new statuses.Status().setCode(6).setMessage('m').setDetails(packed)));
  };

  test('that the stream is at another revision, or that there is none', () => {
    const at = new shared.WrongExpectedVersion().setCurrentStreamRevision('70000').setExpectedStreamPosition('3');
    expect(refused(at, 'WrongExpectedVersion').result).toEqual({ kind: 'wrong_version', actualRevision: 70_000 });
    const none = new shared.WrongExpectedVersion().setCurrentNoStream(new shared.Empty());
    expect(refused(none, 'WrongExpectedVersion').result).toEqual({ kind: 'wrong_version', actualRevision: NO_STREAM });
  });

  test('with another status, or with nothing', () => {
    expect(refused(new shared.Timeout(), 'Timeout').result).toEqual({ kind: 'status', code: 6 });
    expect(decoded(answer().setError(new statuses.Status())).result).toEqual({ kind: 'status', code: 0 });
    expect(decoded(answer())).toEqual({ count: 0x102, result: { kind: 'none' } });
    expect(decoded(new streams.BatchAppendResp())).toEqual({ count: -1, result: { kind: 'none' } });
  });
});

describe('an answer to a read', () => {
  test.each(texts)('brings the event (%#)', (text) => {
    const [event] = appendOf('account-ä', 1).events;
    const sent = { ...event!, data: JSON.stringify(text) };
    const proposed = streams.BatchAppendReq.deserializeBinary(
      encodeAppend({ stream: 'account-ä', expectedRevision: 8, events: [sent] }, 1).message,
    ).getProposedMessagesList()[0]!;
    const recorded = new streams.ReadResp.ReadEvent.RecordedEvent()
      .setId(proposed.getId())
      .setStreamIdentifier(new shared.StreamIdentifier().setStreamName(Buffer.from('account-ä').toString('base64')))
      .setStreamRevision('9')
      .setCommitPosition('123456789012')
      .setPreparePosition('123456789000')
      .setData(proposed.getData())
      .setCustomMetadata(proposed.getCustomMetadata());
    recorded.getMetadataMap().set('created', '0').set('type', 'Tested').set('content-type', 'application/json');
    const read = new streams.ReadResp.ReadEvent().setEvent(recorded).setCommitPosition('123456789012');
    expect(decodeRead(Buffer.from(new streams.ReadResp().setEvent(read).serializeBinary()))).toEqual({
      ...sent,
      stream: 'account-ä',
      revision: 9,
      position: '0000000123456789012',
    });
  });

  test('without an event is none', () => {
    const checkpoint = new streams.ReadResp.Checkpoint().setCommitPosition('5').setPreparePosition('5');
    expect(decodeRead(Buffer.from(new streams.ReadResp().setCheckpoint(checkpoint).serializeBinary()))).toBeNull();
    expect(decodeRead(Buffer.alloc(0))).toBeNull();
  });
});

test('bytes that are no message are refused, wherever they end', () => {
  const whole = encodeAppend(appendOf('account-1', 2), 300).message;
  const lengths = [...whole.keys()].filter((length) => length > 0);
  const refused = lengths.filter((length) => {
    try {
      decodeAnswer(whole.subarray(0, length));
      return false;
    } catch (error) {
      expect(error).toBeInstanceOf(RangeError);
      return true;
    }
  });
  expect(refused.length).toBeGreaterThan(whole.length / 2);
  expect(() => decodeAnswer(Buffer.alloc(20, 0xff))).toThrow(RangeError);
});
