import { ApiError, invalid, missing } from '../core/api/errors.js';
import { NEWEST_VERSION, present } from '../core/api/present.js';
import type { Tx } from '../core/tx.js';
import { resend } from '../core/webhooks.js';
import { noFaults, type Faults, type RequestFault, type Settings } from '../core/world.js';
import { completeSession } from '../resources/checkout/completion.js';
import { applyGrant } from '../resources/credit-grants/credit-grants.js';
import { moveDispute, openDispute, type DisputeStatus } from '../resources/payments/disputes.js';
import { newEndpoint, rollSecret } from '../resources/events.js';
import { accountFromEntry, cardFromEntry, methodOf } from '../resources/payments/methods.js';
import { openLink } from '../resources/checkout/links.js';
import { authenticate, settle } from '../resources/payments/payments.js';
import { settleRefund } from '../resources/payments/refunds.js';
import { authenticateSetup } from '../resources/payments/setup-intents.js';
import type { Body } from './json-body.js';
import type { Runtime } from './runtime.js';

type Handler = (runtime: Runtime, body: Body, id: string) => unknown;

const shown = (value: unknown): unknown => present(value, NEWEST_VERSION);

async function moveClock(runtime: Runtime, body: Body): Promise<unknown> {
  if (body.flag('freeze') === true) runtime.clock.freeze();
  const to = body.integer('to');
  const by = body.integer('by');
  const target = to ?? (by === undefined ? undefined : runtime.clock.now() + by);
  if (target !== undefined) {
    if (target < runtime.sandbox.world.now) throw invalid('The clock never goes back.', 'to');
    await runtime.advance(target, body.flag('deliver') ?? true);
  }
  if (body.flag('freeze') === false) runtime.clock.unfreeze();
  return clockOf(runtime);
}

const clockOf = (runtime: Runtime): unknown => ({
  now: runtime.clock.now(),
  frozen: runtime.clock.frozen,
  nextTimer: runtime.sandbox.nextTimer(),
});

const counts = ['declineNext', 'duplicate', 'drop', 'twoIds', 'delaySeconds'] as const;

function requestFault(body: Body): RequestFault {
  return {
    fault: body.oneOf('fault', ['rate_limit', 'server_error', 'slow', 'lose_answer']) ?? 'server_error',
    times: body.integer('times') ?? 1,
    path: body.text('path') ?? null,
    milliseconds: body.integer('milliseconds') ?? 1000,
  };
}

function setFaults(runtime: Runtime, body: Body): Faults {
  const { world } = runtime.sandbox;
  const numbers = Object.fromEntries(counts.map((key) => [key, body.integer(key) ?? world.faults[key]])) as Pick<
    Faults,
    (typeof counts)[number]
  >;
  const requests = body.list('requests')?.map(requestFault) ?? world.faults.requests;
  world.faults = {
    ...world.faults,
    ...numbers,
    declineCode: body.text('declineCode') ?? world.faults.declineCode,
    reorder: body.flag('reorder') ?? world.faults.reorder,
    requests,
  };
  return world.faults;
}

function setSettings(runtime: Runtime, body: Body): Settings {
  const { world } = runtime.sandbox;
  const old = world.settings;
  world.settings = {
    dunningDays: body.integers('dunningDays') ?? old.dunningDays,
    afterDunning: body.oneOf('afterDunning', ['cancel', 'unpaid', 'past_due']) ?? old.afterDunning,
    uncollectibleAfterDunning: body.flag('uncollectibleAfterDunning') ?? old.uncollectibleAfterDunning,
    upcomingDays: body.integer('upcomingDays') ?? old.upcomingDays,
    draftSeconds: body.integer('draftSeconds') ?? old.draftSeconds,
    retentionDays: body.integer('retentionDays') ?? old.retentionDays,
  };
  return world.settings;
}

/** What a page would do with a card number, an account, or a test method's name. */
function complete(tx: Tx, body: Body, id: string): unknown {
  const buyer = { email: body.text('email') ?? 'buyer@example.com', name: body.text('name') ?? 'Test Buyer' };
  const number = body.text('card');
  const iban = body.text('iban');
  const named = body.text('paymentMethod');
  const method =
    iban !== undefined
      ? accountFromEntry(tx, iban, buyer)
      : named !== undefined
        ? methodOf(tx, named)
        : cardFromEntry(
            tx,
            { number: number ?? '4242424242424242', month: 12, year: new Date(tx.now * 1000).getUTCFullYear() + 4 },
            buyer,
          );
  return completeSession(tx, id, body.flag('withoutMethod') === true ? null : method, buyer);
}

function dispute(tx: Tx, body: Body): unknown {
  const charge = tx.need('charge', body.required('charge'), 'charge');
  return openDispute(tx, {
    charge: charge.id,
    amount: body.integer('amount') ?? charge.amount,
    reason: body.text('reason') ?? 'fraudulent',
    inquiry: body.flag('inquiry') ?? false,
    outcome: null,
  });
}

const disputeStatuses: readonly DisputeStatus[] = [
  'needs_response',
  'under_review',
  'warning_under_review',
  'warning_closed',
  'won',
  'lost',
  'prevented',
];

const handlers: Readonly<Record<string, Handler>> = {
  'GET /clock': (runtime) => clockOf(runtime),
  'POST /clock': moveClock,
  'GET /faults': ({ sandbox }) => sandbox.world.faults,
  'POST /faults': setFaults,
  'DELETE /faults': ({ sandbox }) => (sandbox.world.faults = noFaults),
  'GET /settings': ({ sandbox }) => sandbox.world.settings,
  'POST /settings': setSettings,
  'POST /settle': async (runtime) => {
    await runtime.sender.settle();
    return { waiting: runtime.sandbox.world.waiting.size };
  },
  'GET /deliveries': ({ sandbox }) => ({ data: [...sandbox.world.deliveries.values()].reverse().slice(0, 1000) }),
  'POST /events/:id/resend': ({ sandbox }, _body, id) => {
    if (!resend(sandbox.world, id)) throw missing('event', id);
    return { resent: id };
  },
  'POST /checkout/:id/complete': ({ sandbox }, body, id) => shown(sandbox.step((tx) => complete(tx, body, id))),
  'POST /payment_links/:id/open': ({ sandbox }, body, id) =>
    shown(
      sandbox.step((tx) =>
        openLink(tx, id, { reference: body.text('clientReferenceId') ?? null, email: body.text('email') ?? null }),
      ),
    ),
  'POST /payment_intents/:id/authenticate': ({ sandbox }, body, id) =>
    sandbox.step((tx) => {
      authenticate(tx, id, body.flag('passes') ?? true);
      return shown(tx.need('payment_intent', id));
    }),
  'POST /payment_intents/:id/settle': ({ sandbox }, body, id) =>
    sandbox.step((tx) => {
      settle(tx, id, body.flag('succeeds') ?? true);
      return shown(tx.need('payment_intent', id));
    }),
  'POST /setup_intents/:id/authenticate': ({ sandbox }, body, id) =>
    sandbox.step((tx) => {
      authenticateSetup(tx, id, body.flag('passes') ?? true);
      return shown(tx.need('setup_intent', id));
    }),
  'POST /refunds/:id/settle': ({ sandbox }, body, id) =>
    sandbox.step((tx) => {
      tx.need('refund', id);
      settleRefund(tx, id, body.flag('succeeds') ?? true);
      return shown(tx.need('refund', id));
    }),
  'POST /credit_grants/:id/apply': ({ sandbox }, body, id) =>
    shown(sandbox.step((tx) => applyGrant(tx, id, body.integer('amount') ?? 0, body.required('invoice')))),
  'POST /disputes': ({ sandbox }, body) => shown(sandbox.step((tx) => dispute(tx, body))),
  'POST /disputes/:id/move': ({ sandbox }, body, id) => {
    const status = body.oneOf('status', disputeStatuses);
    if (status === undefined) throw invalid('Missing required param: status.', 'status', 'parameter_missing');
    return shown(sandbox.step((tx) => moveDispute(tx, id, status)));
  },
  'POST /webhook_endpoints': ({ sandbox }, body) =>
    shown(
      sandbox.step((tx) =>
        newEndpoint(tx, {
          url: body.required('url'),
          events: body.texts('enabledEvents') ?? ['*'],
          version: body.text('apiVersion') ?? null,
          ...(body.text('secret') === undefined ? {} : { secret: body.required('secret') }),
        }),
      ),
    ),
  'POST /webhook_endpoints/:id/roll': ({ sandbox }, body, id) =>
    shown(sandbox.step((tx) => rollSecret(tx, id, body.integer('keepOldSeconds') ?? 86_400))),
  'POST /reset': (runtime) => {
    runtime.reset();
    return { reset: true };
  },
};

/** Answers a call of the control API (`/_sandbox/…`), or refuses it in Stripe's error format. */
export async function control(runtime: Runtime, method: string, path: string, body: Body): Promise<unknown> {
  const parts = path.split('/').filter((part) => part !== '');
  const shapes = [`/${parts.join('/')}`, `/${[parts[0], ':id', ...parts.slice(2)].join('/')}`];
  for (const shape of shapes) {
    const handler = handlers[`${method} ${shape}`];
    if (handler === undefined) continue;
    const answer = await handler(runtime, body, parts[1] ?? '');
    runtime.changed();
    return answer;
  }
  throw new ApiError(404, { type: 'invalid_request_error', message: `The control API has no ${method} ${path}.` });
}
