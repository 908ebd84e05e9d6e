import type { Latency } from '../histogram.js';

/** What every request of a job is made of. `customers` accounts are named `{customerPrefix}{0…customers-1}`. */
export type Requests =
  | {
      readonly kind: 'consume';
      readonly customerPrefix: string;
      readonly customers: number;
      readonly keyPrefix: string;
      /** For whom they are, in turn; none where it is left out. */
      readonly scopes?: readonly string[];
    }
  /** Checked uses of one feature, each 1. */
  | {
      readonly kind: 'usage';
      readonly customerPrefix: string;
      readonly customers: number;
      readonly keyPrefix: string;
      readonly feature: string;
    }
  | {
      readonly kind: 'bulk';
      readonly customerPrefix: string;
      readonly customers: number;
      readonly keyPrefix: string;
      readonly commands: number;
    }
  | { readonly kind: 'balance'; readonly customerPrefix: string; readonly customers: number; readonly suffix: string }
  /** Paid top-ups by Stripe webhook, one a customer in turn, signed with `secret`. */
  | {
      readonly kind: 'webhook';
      readonly customerPrefix: string;
      readonly customers: number;
      readonly idPrefix: string;
      readonly secret: string;
    };

/** A job for the load generator, which is a process of its own. */
export type Job = {
  readonly host: string;
  readonly port: number;
  readonly apiKey: string;
  readonly requests: Requests;
  readonly connections: number;
  /**
   * `closed`: each connection sends its next request when the last is answered. `open`: `rate` a second, come what may; with
   * `giveUp`, what could not be sent by the end of the time is never sent.
   */
  readonly loop:
    { readonly kind: 'closed' } | { readonly kind: 'open'; readonly rate: number; readonly giveUp?: boolean };
  readonly warmUpSeconds: number;
  readonly seconds: number;
  /** Stop after so many requests, if that comes first. */
  readonly atMost: number | null;
};

/** What came back in the measured time. Latencies of an open loop count from the instant the request was due. */
export type JobResult = {
  readonly seconds: number;
  /** All requests, the warm-up's included. */
  readonly sent: number;
  readonly answers: number;
  readonly perSecond: number;
  readonly statuses: Readonly<Record<string, number>>;
  readonly failures: number;
  readonly latency: Latency;
  /** Share of one core that the generator itself used. */
  readonly generatorCpu: number;
};
