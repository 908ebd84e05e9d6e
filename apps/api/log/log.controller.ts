import { Readable } from 'node:stream';
import { Controller, Get, Param, Query, Req, StreamableFile } from '@nestjs/common';
import { QueryBus } from '@nestjs/cqrs';
import { ApiTags } from '@nestjs/swagger';
import { eventLine } from '#event-store/port/event-line.js';
import { START } from '#event-store/port/event-store.js';
import { Clock } from '#kernel/clock.js';
import { instantOf, parseInstant } from '#kernel/instant.js';
import { JsonText } from '../http/answer.js';
import type { ApiRequest } from '../http/caller.js';
import { Problem } from '../http/problem.js';
import { Needs } from '../http/route.js';
import { QueryRoute } from '../openapi/api-docs.js';
import { FreshnessQuery } from '../reads/queries.dto.js';
import { LogReads } from '../reads/log-reads.js';
import { positionFrom, readRequest } from '../reads/read-request.js';
import { wantsLines } from './wants-lines.js';
import type { EventFilter } from './event-filter.js';
import { EventsQuery } from './queries.dto.js';
import { FindEvent, ReadLog, StreamLog } from './queries.js';

const maxStreamed = Number.MAX_SAFE_INTEGER;

/** The log itself, oldest first, as it was written. */
@ApiTags('Log')
@Controller('v1/events')
export class LogController {
  constructor(
    private readonly queries: QueryBus,
    private readonly log: LogReads,
    private readonly clock: Clock,
  ) {}

  @Get()
  @Needs('ledger:read')
  @QueryRoute({
    id: 'listEvents',
    summary: 'Events, oldest first; with Accept: application/x-ndjson all of them, one a line',
  })
  async list(@Req() request: ApiRequest, @Query() query: EventsQuery): Promise<object> {
    const after = query.after === undefined ? START : positionFrom(query.after);
    const { minPosition, waitMs } = readRequest(query, request.caller);
    if (minPosition !== null) await this.log.reached(minPosition, waitMs);
    const filter = filterOf(query);
    if (wantsLines(request.headers.accept)) {
      const chunks = await this.queries.execute(
        new StreamLog(after, query.limit === undefined ? maxStreamed : Number(query.limit), filter),
      );
      const lines = Readable.from(chunks, { objectMode: false, highWaterMark: 1 });
      return new StreamableFile(lines, { type: 'application/x-ndjson' });
    }
    const page = await this.queries.execute(new ReadLog(after, Number(query.limit ?? 50), filter));
    const asOf = JSON.stringify({ position: page.head, time: instantOf(this.clock.now()) });
    return new JsonText(
      `{"data":[${page.lines.join(',')}],"hasMore":${String(page.hasMore)},"nextAfter":"${page.nextAfter}","asOf":${asOf}}`,
    );
  }

  @Get(':eventId')
  @Needs('ledger:read')
  @QueryRoute({ id: 'getEvent', summary: 'One event', problems: ['event_not_found'] })
  async one(
    @Req() request: ApiRequest,
    @Param('eventId') eventId: string,
    @Query() query: FreshnessQuery,
  ): Promise<object> {
    const asOf = await this.log.asOf(readRequest(query, request.caller));
    const isId = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(eventId);
    const event = isId ? await this.queries.execute(new FindEvent(eventId.toLowerCase())) : null;
    if (event === null) throw new Problem('event_not_found');
    return new JsonText(`${eventLine(event).slice(0, -1)},"asOf":${JSON.stringify(asOf)}}`);
  }
}

const filterOf = (query: EventsQuery): EventFilter => ({
  stream: query.stream ?? null,
  customerId: query.customerId ?? null,
  types: query.type === undefined ? null : new Set(query.type.split(',')),
  from: query.from === undefined ? null : parseInstant(query.from),
  to: query.to === undefined ? null : parseInstant(query.to),
});
