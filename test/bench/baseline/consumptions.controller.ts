import { hash } from 'node:crypto';
import { Body, Controller, Inject, Post, Req } from '@nestjs/common';
import pg from 'pg';
import { canonicalJson, type Json } from '#kernel/json.js';
import { ConsumptionBody } from '../../../apps/api/accounts/commands/bodies.dto.js';
import { Answer, problemAnswer } from '../../../apps/api/http/answer.js';
import type { ApiRequest } from '../../../apps/api/http/caller.js';
import { keyIn } from '../../../apps/api/http/idempotency-key.js';
import { Needs } from '../../../apps/api/http/route.js';
import { consumeStatement } from './schema.js';

export const POOL = Symbol('pool');

type Row = {
  readonly id: string;
  readonly amount: string;
  readonly available_after: string;
  readonly held_after: string;
  readonly at: Date;
  readonly request_hash: string;
  readonly replayed: boolean;
};

/** The same route, body rules, login and answer as Scrip's own, over mutable balance rows. */
@Controller('v1/customers/:customerId')
export class ConsumptionsController {
  constructor(@Inject(POOL) private readonly pool: pg.Pool) {}

  @Post('consumptions')
  @Needs('credits:write')
  async consume(@Req() request: ApiRequest, @Body() body: ConsumptionBody): Promise<Answer> {
    const { customerId } = request.params as { customerId: string };
    const unit = body.unit ?? 'credits';
    const key = keyIn(request, true);
    const fingerprint = hash('sha256', canonicalJson(body as unknown as Json), 'hex').slice(0, 32);
    const { amount = 0, resource = null, description = null, metadata = null } = body;
    const columns = [
      resource === null ? null : JSON.stringify(resource),
      description,
      metadata === null ? null : JSON.stringify(metadata),
    ];
    const row = await this.#taken([
      customerId,
      unit,
      key,
      fingerprint,
      amount,
      ...columns,
      request.caller?.actor ?? 'nobody',
    ]);
    if (row === null)
      return problemAnswer('insufficient_credits', request.id, { available: 0, required: amount, unit });
    if (row.request_hash !== fingerprint) return problemAnswer('idempotency_key_reused', request.id);
    return new Answer(201, bodyOf(customerId, unit, row, resource), row.replayed);
  }

  /** Another request with the same key may win the race: its row is then found by the second try. */
  async #taken(values: readonly unknown[]): Promise<Row | null> {
    const query = { name: 'consume', text: consumeStatement, values: [...values] };
    const result = await this.pool.query<Row>(query).catch((error: unknown) => {
      if (error instanceof pg.DatabaseError && error.code === '23505') return this.pool.query<Row>(query);
      throw error;
    });
    return result.rows[0] ?? null;
  }
}

const bodyOf = (customerId: string, unit: string, row: Row, resource: object | null): object => ({
  id: `con_${row.id.padStart(26, '0')}`,
  customerId,
  unit,
  amount: Number(row.amount),
  allocations: [
    { grantId: 'gr_00000000000000000000000000', source: 'purchase', amount: Number(row.amount), cost: null },
  ],
  debt: 0,
  burnOrder: 'purchased-first',
  usage: null,
  resource,
  at: row.at.toISOString(),
  balance: { available: Number(row.available_after), held: Number(row.held_after), debt: 0 },
  position: row.id.padStart(19, '0'),
});
