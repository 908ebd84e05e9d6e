import type { LedgerHandlers } from '#composition/ledger-handlers.js';
import { stripeEventStream } from '#kernel/stream-name.js';
import type { StripeEventCommand } from '#ledger/stripe/event.js';
import type { StripeAnswer, StripeClient } from '#stripe/operations/client.js';
import { linesOfCreditNote, linesOfInvoice } from '#stripe/operations/invoice.js';
import { eachBounded } from '#consuming/bounded.js';
import type { InboxState } from '#records/inbox/state.js';
import { refusalOf } from '../outcomes.js';

const PAGE = 100;
const CONCURRENCY = 4;
/** Some hundred kilobytes, which every store takes. */
const LINES_PER_EVENT = 100;

const isKeyRefused = (answer: StripeAnswer<unknown>): boolean =>
  answer.kind === 'refused' && (answer.status === 401 || answer.status === 403);

/**
 * Fetches the lines of invoices and credit notes that have more of them than their webhook held, and records them beside it: what the event means
 * is then worked out of the log alone, by the inbox, now and whenever it is read again. Until then the event is parked, so nobody
 * waits for it.
 */
export class LineFetcher {
  readonly #client: StripeClient;
  readonly #handlers: LedgerHandlers;
  readonly #state: InboxState;

  constructor(parts: { client: StripeClient; handlers: LedgerHandlers; state: InboxState }) {
    this.#client = parts.client;
    this.#handlers = parts.handlers;
    this.#state = parts.state;
  }

  /**
   * Goes once through all events that wait for lines. False when Stripe did not answer: the rest waits for another pass. Throws
   * TryAgainLater when the store fails.
   */
  async runOnce(signal: AbortSignal): Promise<boolean> {
    let answers = true;
    for (let after = ''; answers && !signal.aborted;) {
      const ids = await this.#state.waitingFor('lines_incomplete', after, PAGE);
      await eachBounded(ids, CONCURRENCY, async (id) => {
        answers = answers && (await this.#fetch(id));
      });
      const last = ids.at(-1);
      if (last === undefined || ids.length < PAGE) break;
      after = last;
    }
    return answers;
  }

  async #fetch(stripeEventId: string): Promise<boolean> {
    const { state } = await this.#handlers.stripeEvent.load(stripeEventStream(stripeEventId));
    // The list of who waits may lag behind the log.
    if (state.reason?.code !== 'lines_incomplete' || state.reason.subject === null) return true;
    const { subject } = state.reason;
    const linesOf = subject.startsWith('cn_') ? linesOfCreditNote : linesOfInvoice;
    const answer = await linesOf(this.#client, subject);
    // A key that Stripe does not accept is a trouble of all of them, and ends with a new key.
    if (answer.kind === 'unavailable' || isKeyRefused(answer)) return false;
    if (answer.kind === 'answered') {
      const { value: lines } = answer;
      for (let from = 0; from === 0 || from < lines.length; from += LINES_PER_EVENT) {
        const to = from + LINES_PER_EVENT;
        const part = { from, lines: lines.slice(from, to), complete: to >= lines.length };
        await this.#record(stripeEventId, { type: 'RecordInvoiceLines', ...part });
      }
      return true;
    }
    const detail = `Stripe gave no lines of it: ${String(answer.status)} ${answer.code}; try again when that is mended`;
    const reason = { code: 'lines_refused', subject, detail } as const;
    await this.#record(stripeEventId, { type: 'ParkStripeEvent', reason });
    return true;
  }

  async #record(stripeEventId: string, command: StripeEventCommand): Promise<void> {
    await refusalOf(
      this.#handlers.stripeEvent.execute({
        stream: stripeEventStream(stripeEventId),
        command,
        key: null, // the state tells whether it is done
        origin: 'stripe',
        fingerprint: null,
        actor: 'worker',
        causationId: stripeEventId,
        correlationId: stripeEventId,
      }),
    );
  }
}
