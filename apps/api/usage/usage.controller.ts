import { Body, Controller, Param, Post, Req } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import type { Answer } from '../http/answer.js';
import type { ApiRequest } from '../http/caller.js';
import { isDryRun } from '../http/dry-run.js';
import { keyIn } from '../http/idempotency-key.js';
import { Needs } from '../http/route.js';
import { OtherRoute } from '../openapi/api-docs.js';
import { UsageBody } from './bodies.dto.js';
import { usageProblems } from './refusals.js';
import { UsageRecorder } from './recorder.js';

/** Says what customers use of the features of their plans. */
@ApiTags('Usage')
@Controller('v1/customers/:customerId/usage')
export class UsageController {
  constructor(private readonly usage: UsageRecorder) {}

  @Post()
  @Needs('credits:write', { dryRun: true })
  @OtherRoute({
    id: 'recordUsage',
    summary: 'Check and count the use of a feature',
    body: UsageBody,
    key: 'required',
    writes: true,
    status: 201,
    answer: 'Recorded.',
    problems: usageProblems,
  })
  record(
    @Req() request: ApiRequest,
    @Param('customerId') customerId: string,
    @Body() body: UsageBody,
  ): Promise<Answer> {
    const dryRun = isDryRun(request);
    const asked = {
      customerId,
      key: keyIn(request, !dryRun),
      actor: request.caller?.actor ?? 'nobody',
      requestId: request.id,
      dryRun,
    };
    return this.usage.record(asked, body);
  }
}
