import { readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import { errorsHtml, errorsMarkdown } from '../openapi/error-pages.js';
import { problemBody, retryAfter } from './problem.js';
import { problemKinds, type ProblemCode } from './problems.js';

const codes = Object.keys(problemKinds) as ProblemCode[];

describe('the table of problems', () => {
  it('is what docs/errors.md says', () => {
    expect(readFileSync(new URL('../../../docs/errors.md', import.meta.url), 'utf8')).toBe(errorsMarkdown());
  });

  it('has the statuses that callers were promised', () => {
    const promised = {
      400: ['invalid_request', 'idempotency_key_required', 'invalid_signature'],
      401: ['unauthenticated'],
      402: ['insufficient_credits'],
      403: ['forbidden'],
      404: ['customer_not_found', 'grant_not_found', 'hold_not_found', 'consumption_not_found'],
      408: ['request_timeout'],
      409: ['hold_not_open', 'already_reversed', 'conflict', 'idempotency_key_reused'],
      413: ['payload_too_large'],
      422: [
        'account_frozen',
        'account_closed',
        'grant_expired',
        'amount_exceeds_hold',
        'amount_exceeds_consumption',
        'credit_event_unknown',
        'credit_event_disabled',
      ],
      429: ['rate_limited'],
      503: ['overloaded', 'projection_behind', 'outcome_unknown'],
    };
    for (const [status, names] of Object.entries(promised)) {
      for (const name of names)
        expect([name, problemKinds[name as ProblemCode].status]).toEqual([name, Number(status)]);
    }
  });

  it('tells when to come back exactly where waiting helps', () => {
    for (const code of codes) {
      const { status } = problemKinds[code];
      expect([code, retryAfter(code) !== null]).toEqual([code, status === 429 || status === 503]);
    }
  });

  it('makes RFC 9457 bodies that lead to the page', () => {
    expect(problemBody('insufficient_credits', 'r1', { available: 3 })).toMatchObject({
      type: '/docs/errors#insufficient_credits',
      status: 402,
      code: 'insufficient_credits',
      requestId: 'r1',
      available: 3,
    });
    for (const code of codes) expect(errorsHtml()).toContain(`id="${code}"`);
  });
});
