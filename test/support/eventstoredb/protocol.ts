import { Metadata, status, type sendUnaryData, type ServerDuplexStream } from '@grpc/grpc-js';
import shared from '@eventstore/db-client/generated/shared_pb.js';
import statuses from '@eventstore/db-client/generated/status_pb.js';
import streams, {
  type AppendReq,
  type AppendResp,
  type BatchAppendReq,
  type BatchAppendResp,
  type ReadReq,
  type ReadResp,
} from '@eventstore/db-client/generated/streams_pb.js';
import any from 'google-protobuf/google/protobuf/any_pb.js';
import type { EventLog, LogEvent, Proposed } from './log.js';

export const proposedOf = (message: AppendReq.ProposedMessage | BatchAppendReq.ProposedMessage): Proposed => ({
  id: message.getId()!.getString(),
  type: message.getMetadataMap().get('type')!,
  contentType: message.getMetadataMap().get('content-type')!,
  data: message.getData_asU8(),
  metadata: message.getCustomMetadata_asU8(),
});

/** How the server answers one append, on either of its paths. */
export type AppendReply = {
  readonly stored: (revision: number, position: bigint) => void;
  readonly wrongVersion: (current: number) => void;
  /** The server gave up on a write that is under way. */
  readonly timeout: () => void;
  /** Ends the call with a status; OK is an end without an answer. `exception`: the server's name of the error. */
  readonly fail: (code: number, exception?: string) => void;
};

const batchAnswer = (id: string): BatchAppendResp => {
  const stream = new shared.StreamIdentifier().setStreamName('');
  return new streams.BatchAppendResp().setCorrelationId(new shared.UUID().setString(id)).setStreamIdentifier(stream);
};

const batchFailure = (
  id: string,
  code: number,
  name: string,
  details: { serializeBinary(): Uint8Array },
): BatchAppendResp => {
  const packed = new any.Any();
  packed.pack(details.serializeBinary(), `event_store.client.${name}`);
  return batchAnswer(id).setError(new statuses.Status().setCode(code).setMessage(name).setDetails(packed));
};

/** Answers to the append `id` of a call that carries many; a status ends them all. */
export const batchReply = (call: ServerDuplexStream<BatchAppendReq, BatchAppendResp>, id: string): AppendReply => ({
  stored: (revision, position) => {
    const place = new shared.AllStreamPosition()
      .setCommitPosition(String(position))
      .setPreparePosition(String(position));
    const success = new streams.BatchAppendResp.Success().setCurrentRevision(String(revision)).setPosition(place);
    call.write(batchAnswer(id).setSuccess(success));
  },
  wrongVersion: (current) => {
    const details = new shared.WrongExpectedVersion();
    if (current < 0) details.setCurrentNoStream(new shared.Empty());
    else details.setCurrentStreamRevision(String(current));
    call.write(batchFailure(id, status.ALREADY_EXISTS, 'WrongExpectedVersion', details));
  },
  timeout: () => call.write(batchFailure(id, status.DEADLINE_EXCEEDED, 'Timeout', new shared.Timeout())),
  fail: (code) => {
    if (code === status.OK) call.end();
    else call.emit('error', failedStatus(code));
  },
});

/** The answer to a call that is one append. */
export const unaryReply = (answer: sendUnaryData<AppendResp>): AppendReply => ({
  stored: (revision, position) => {
    const place = new streams.AppendResp.Position()
      .setCommitPosition(String(position))
      .setPreparePosition(String(position));
    const success = new streams.AppendResp.Success().setCurrentRevision(String(revision)).setPosition(place);
    answer(null, new streams.AppendResp().setSuccess(success));
  },
  wrongVersion: (current) => {
    const details = new streams.AppendResp.WrongExpectedVersion();
    if (current < 0) details.setCurrentNoStream(new shared.Empty());
    else details.setCurrentRevision(String(current));
    answer(null, new streams.AppendResp().setWrongExpectedVersion(details));
  },
  timeout: () => answer(failedStatus(status.ABORTED)),
  fail: (code, exception) => {
    if (code === status.OK) answer(null, new streams.AppendResp());
    else answer(failedStatus(code, exception));
  },
});

function failedStatus(code: number, exception?: string) {
  const metadata = new Metadata();
  if (exception !== undefined) metadata.set('exception', exception);
  metadata.set('maximum-append-size', '1048576');
  metadata.set('stream-name', 'a stream');
  return { name: 'Error', message: 'as requested', code, details: 'as requested', metadata };
}

export function eventAnswer(event: LogEvent): ReadResp {
  const recorded = new streams.ReadResp.ReadEvent.RecordedEvent()
    .setId(new shared.UUID().setString(event.id))
    .setStreamIdentifier(new shared.StreamIdentifier().setStreamName(Buffer.from(event.stream).toString('base64')))
    .setStreamRevision(String(event.revision))
    .setCommitPosition(String(event.position))
    .setPreparePosition(String(event.position))
    .setData(event.data)
    .setCustomMetadata(event.metadata);
  recorded.getMetadataMap().set('type', event.type).set('content-type', event.contentType).set('created', '0');
  const read = new streams.ReadResp.ReadEvent().setEvent(recorded).setCommitPosition(String(event.position));
  return new streams.ReadResp().setEvent(read);
}

/** The filter of a request to the whole log. */
export function filterOf(options: ReadReq.Options): (event: LogEvent) => boolean {
  const regex = options.getFilter()?.getStreamIdentifier()?.getRegex();
  if (regex === undefined || regex === '') return () => true;
  const pattern = new RegExp(regex);
  return (event) => pattern.test(event.stream);
}

/** The answers to a read that is no subscription. */
export function readAnswers(log: EventLog, options: ReadReq.Options): ReadResp[] {
  const count = Number(options.getCount());
  const backwards = options.getReadDirection() === 1;
  const from = options.getStream();
  if (from) {
    const events = log.stream(Buffer.from(from.getStreamIdentifier()!.getStreamName_asU8()).toString());
    if (events.length === 0) {
      const missing = new streams.ReadResp.StreamNotFound().setStreamIdentifier(from.getStreamIdentifier());
      return [new streams.ReadResp().setStreamNotFound(missing)];
    }
    if (backwards) return events.slice(-count).reverse().map(eventAnswer);
    const start = from.hasRevision() ? Number(from.getRevision()) : 0;
    return events.slice(start, start + count).map(eventAnswer);
  }
  const all = options.getAll()!;
  const accepts = filterOf(options);
  const answers: ReadResp[] = [];
  const step = backwards ? -1 : 1;
  const position = all.getPosition()?.getCommitPosition();
  const end = position === undefined && backwards ? log.all.length : log.indexOf(BigInt(position ?? 0));
  const first = backwards ? end - 1 : end;
  for (let index = first; index >= 0 && index < log.all.length && answers.length < count; index += step) {
    const event = log.all[index]!;
    if (accepts(event)) answers.push(eventAnswer(event));
  }
  return answers;
}
