import shared from '@eventstore/db-client/generated/shared_pb.js';
import statuses from '@eventstore/db-client/generated/status_pb.js';
import streams, {
  type BatchAppendReq,
  type BatchAppendResp,
  type ReadReq,
  type ReadResp,
} from '@eventstore/db-client/generated/streams_pb.js';
import any from 'google-protobuf/google/protobuf/any_pb.js';
import type { EventLog, LogEvent, Proposed } from './eventstoredb-log.js';

export const proposedOf = (message: BatchAppendReq.ProposedMessage): Proposed => ({
  id: message.getId()!.getString(),
  type: message.getMetadataMap().get('type')!,
  contentType: message.getMetadataMap().get('content-type')!,
  data: message.getData_asU8(),
  metadata: message.getCustomMetadata_asU8(),
});

const answerTo = (id: string): BatchAppendResp => {
  const stream = new shared.StreamIdentifier().setStreamName('');
  return new streams.BatchAppendResp().setCorrelationId(new shared.UUID().setString(id)).setStreamIdentifier(stream);
};

export const appendStored = (id: string, revision: number, position: bigint): BatchAppendResp => {
  const place = new shared.AllStreamPosition().setCommitPosition(String(position)).setPreparePosition(String(position));
  return answerTo(id).setSuccess(
    new streams.BatchAppendResp.Success().setCurrentRevision(String(revision)).setPosition(place),
  );
};

const failure = (
  id: string,
  code: number,
  name: string,
  details: { serializeBinary(): Uint8Array },
): BatchAppendResp => {
  const packed = new any.Any();
  packed.pack(details.serializeBinary(), `event_store.client.${name}`);
  return answerTo(id).setError(new statuses.Status().setCode(code).setMessage(name).setDetails(packed));
};

export const wrongVersion = (id: string, current: number): BatchAppendResp => {
  const details = new shared.WrongExpectedVersion();
  if (current < 0) details.setCurrentNoStream(new shared.Empty());
  else details.setCurrentStreamRevision(String(current));
  return failure(id, 6, 'WrongExpectedVersion', details);
};

export const timeout = (id: string): BatchAppendResp => failure(id, 4, 'Timeout', new shared.Timeout());

export const appendFailed = (id: string, code: number): BatchAppendResp =>
  failure(id, code, 'Unknown', new shared.Unknown());

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
  const first = backwards ? log.all.length - 1 : log.indexOf(BigInt(all.getPosition()?.getCommitPosition() ?? 0));
  for (let index = first; index >= 0 && index < log.all.length && answers.length < count; index += step) {
    const event = log.all[index]!;
    if (accepts(event)) answers.push(eventAnswer(event));
  }
  return answers;
}
