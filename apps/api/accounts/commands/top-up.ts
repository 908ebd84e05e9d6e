import { Injectable } from '@nestjs/common';
import { accountOf, type StreamName } from '#kernel/stream-name.js';
import { ApiContext } from '../../api-context.js';

/** Tells a caller whose credits do not suffice where more can be bought, where that is configured. */
@Injectable()
export class TopUp {
  constructor(private readonly context: ApiContext) {}

  members(stream: StreamName): { readonly unit: string; readonly topUpUrl?: string } {
    const unit = accountOf(stream)?.unit ?? '';
    const { topUpUrl } = this.context.config;
    return topUpUrl === null ? { unit } : { unit, topUpUrl };
  }
}
