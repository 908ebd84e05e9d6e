import { accountOf, type StreamName } from '#kernel/stream-name.js';

/** Tells a caller whose credits do not suffice where more can be bought, where that is configured. */
export class TopUp {
  constructor(private readonly url: string | null) {}

  members(stream: StreamName): { readonly unit: string; readonly topUpUrl?: string } {
    const unit = accountOf(stream)?.unit ?? '';
    return this.url === null ? { unit } : { unit, topUpUrl: this.url };
  }
}
