import type Stripe from 'stripe';
import { invalid } from '../../core/api/errors.js';
import type { Dispute } from '../../core/model.js';
import type { Params } from '../../core/api/params.js';
import { DAY } from '../../core/period.js';
import { listing, matching, retrieving, type Route } from '../../core/api/route.js';
import type { Tx } from '../../core/tx.js';
import { bookBalance } from './balance.js';

const disputeFee = 1500;

const noEvidence: Stripe.Dispute.Evidence = {
  access_activity_log: null,
  billing_address: null,
  cancellation_policy: null,
  cancellation_policy_disclosure: null,
  cancellation_rebuttal: null,
  customer_communication: null,
  customer_email_address: null,
  customer_name: null,
  customer_purchase_ip: null,
  customer_signature: null,
  duplicate_charge_documentation: null,
  duplicate_charge_explanation: null,
  duplicate_charge_id: null,
  enhanced_evidence: {},
  product_description: null,
  receipt: null,
  refund_policy: null,
  refund_policy_disclosure: null,
  refund_refusal_explanation: null,
  service_date: null,
  service_documentation: null,
  shipping_address: null,
  shipping_carrier: null,
  shipping_date: null,
  shipping_documentation: null,
  shipping_tracking_number: null,
  uncategorized_file: null,
  uncategorized_text: null,
};

export type DisputeRequest = {
  readonly charge: string;
  readonly amount: number;
  readonly reason: string;
  /** An inquiry (`warning_…`) moves no money. */
  readonly inquiry: boolean;
  readonly outcome: 'won' | 'lost' | null;
};

function moveFunds(tx: Tx, dispute: Dispute, withdraw: boolean): Dispute {
  const transaction = bookBalance(tx, {
    amount: withdraw ? -dispute.amount : dispute.amount,
    currency: dispute.currency,
    fee: withdraw ? disputeFee : -disputeFee,
    type: 'adjustment',
    category: withdraw ? 'dispute' : 'dispute_reversal',
    source: dispute.id,
  });
  return {
    ...dispute,
    balance_transactions: [...dispute.balance_transactions, transaction],
    sandbox: { ...dispute.sandbox, withdrawn: withdraw },
  };
}

/** Opens a dispute or an inquiry on a charge. A dispute takes the money at once. */
export function openDispute(tx: Tx, request: DisputeRequest): Dispute {
  const charge = tx.need('charge', request.charge);
  const base: Dispute = {
    id: tx.newId('dispute'),
    object: 'dispute',
    amount: request.amount,
    balance_transactions: [],
    charge: charge.id,
    created: tx.now,
    currency: charge.currency,
    enhanced_eligibility_types: [],
    evidence: noEvidence,
    evidence_details: {
      due_by: tx.now + 9 * DAY,
      enhanced_eligibility: {},
      has_evidence: false,
      past_due: false,
      submission_count: 0,
      submission_method: 'not_submitted',
    },
    intended_submission_method: null,
    is_charge_refundable: request.inquiry,
    livemode: false,
    metadata: {},
    payment_intent: charge.payment_intent,
    reason: request.reason,
    status: request.inquiry ? 'warning_needs_response' : 'needs_response',
    sandbox: { withdrawn: false, outcome: request.outcome },
  };
  const dispute = request.inquiry ? base : moveFunds(tx, base, true);
  tx.create('dispute', dispute, 'charge.dispute.created');
  tx.put('charge', charge.id, { ...charge, disputed: !request.inquiry });
  if (!request.inquiry) tx.emit('charge.dispute.funds_withdrawn', dispute);
  return dispute;
}

/** A charge on a test card that is disputed by itself. */
export function disputeByCard(tx: Tx, chargeId: string): void {
  const charge = tx.get('charge', chargeId);
  const method = charge?.payment_method == null ? null : tx.get('payment_method', charge.payment_method);
  const plan = method?.sandbox.behaviour.dispute;
  if (charge === null || plan === undefined || tx.ownedBy('dispute', chargeId).length > 0) return;
  openDispute(tx, {
    charge: chargeId,
    amount: charge.amount,
    reason: plan.reason,
    inquiry: plan.inquiry,
    outcome: plan.outcome ?? null,
  });
}

export type DisputeStatus =
  'needs_response' | 'under_review' | 'warning_under_review' | 'warning_closed' | 'won' | 'lost' | 'prevented';

/**
 * Moves a dispute on. Won gives the money back, also late, after it was lost; an inquiry that becomes a dispute takes it.
 * Events in Stripe's order: updated, closed, then the funds.
 */
export function moveDispute(tx: Tx, id: string, status: DisputeStatus): Dispute {
  const before = tx.need('dispute', id);
  if (before.status === status) return before;
  const escalates = before.status.startsWith('warning') && ['needs_response', 'under_review', 'lost'].includes(status);
  const returns = status === 'won' && before.sandbox.withdrawn;
  const moved: Dispute = { ...before, status, is_charge_refundable: false };
  const next =
    escalates && !before.sandbox.withdrawn ? moveFunds(tx, moved, true) : returns ? moveFunds(tx, moved, false) : moved;
  tx.put('dispute', id, next);
  const charge = tx.need('charge', next.charge);
  if (escalates) tx.put('charge', charge.id, { ...charge, disputed: true });
  const closes = ['won', 'lost', 'warning_closed', 'prevented'].includes(status);
  tx.emit(closes ? 'charge.dispute.closed' : 'charge.dispute.updated', next, before);
  if (escalates) tx.emit('charge.dispute.funds_withdrawn', next);
  if (returns) tx.emit('charge.dispute.funds_reinstated', next);
  return next;
}

const isOpen = (dispute: Dispute): boolean => ['needs_response', 'warning_needs_response'].includes(dispute.status);

/** Evidence decides in tests: `winning_evidence` wins, `losing_evidence` loses; anything else waits for the control API. */
function submit(tx: Tx, id: string, params: Params): Dispute {
  const before = tx.need('dispute', id);
  const evidence = params.child('evidence');
  const text = evidence?.emptyable('uncategorized_text') ?? null;
  const given = Object.fromEntries(
    (evidence?.keys() ?? []).filter((key) => key in noEvidence).map((key) => [key, evidence?.emptyable(key) ?? null]),
  );
  const changed: Dispute = {
    ...before,
    evidence: { ...before.evidence, ...given },
    evidence_details: {
      ...before.evidence_details,
      has_evidence: evidence !== undefined || before.evidence_details.has_evidence,
    },
    metadata: params.metadata(before.metadata),
  };
  const wantsSubmit = params.flag('submit') ?? evidence !== undefined;
  if (!wantsSubmit || !isOpen(before)) return tx.update('dispute', changed, 'charge.dispute.updated');
  const submitted: Dispute = {
    ...changed,
    status: before.status === 'warning_needs_response' ? 'warning_under_review' : 'under_review',
    evidence_details: { ...changed.evidence_details, submission_count: before.evidence_details.submission_count + 1 },
  };
  tx.update('dispute', submitted, 'charge.dispute.updated');
  const outcome = text === 'winning_evidence' ? 'won' : text === 'losing_evidence' ? 'lost' : before.sandbox.outcome;
  if (outcome === null) return submitted;
  return moveDispute(
    tx,
    id,
    before.status === 'warning_needs_response' && outcome === 'won' ? 'warning_closed' : outcome,
  );
}

function close(tx: Tx, id: string): Dispute {
  const dispute = tx.need('dispute', id);
  if (!isOpen(dispute)) throw invalid('This dispute is already closed.', undefined, 'dispute_already_closed');
  return moveDispute(tx, id, dispute.status === 'warning_needs_response' ? 'warning_closed' : 'lost');
}

export const disputeRoutes: readonly Route[] = [
  retrieving('dispute', '/v1/disputes'),
  { method: 'POST', path: '/v1/disputes/:id', run: ({ tx, id, params }) => submit(tx, id, params) },
  { method: 'POST', path: '/v1/disputes/:id/close', run: ({ tx, id }) => close(tx, id) },
  listing('dispute', '/v1/disputes', (params) => {
    const [charge, intent] = [params.text('charge'), params.text('payment_intent')];
    return (dispute) =>
      matching(charge, (value) => dispute.charge === value) &&
      matching(intent, (value) => dispute.payment_intent === value);
  }),
];
