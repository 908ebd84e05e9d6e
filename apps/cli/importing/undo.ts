import { randomUUID } from 'node:crypto';
import type { LedgerHandlers } from '#composition/ledger-handlers.js';
import type { EventStore } from '#event-store/port/event-store.js';
import type { Clock } from '#kernel/clock.js';
import { instantOf } from '#kernel/instant.js';
import { accountStream } from '#kernel/stream-name.js';
import { accountAt } from '#ledger/account/at.js';
import type { ExitCode } from '../terminal/command.js';
import type { Output } from '../terminal/output.js';
import { importedGrants, type ImportedGrant } from './imported-grants.js';
import { inOrder } from './in-order.js';
import type { Report } from './report.js';
import { settledOutcome } from './settled-outcome.js';

const AT_ONCE = 100;

type Undo = {
  readonly accounts: LedgerHandlers['account'];
  readonly store: EventStore;
  readonly clock: Clock;
  readonly output: Output;
  readonly report: Report;
  readonly name: string;
};

/** What became of a grant: credits of it that are taken back, now or before, and where the others are. */
type Undone = ImportedGrant & {
  /** Taken back by this run. */
  readonly revoked: number;
  readonly revokedBefore: number;
  readonly held: number;
  readonly spent: number;
  readonly expired: number;
  /** Why what is unspent could not be taken back; null where it was. */
  readonly refusal: string | null;
};

/**
 * Takes back what is unspent of all that an import granted, by revocations: nothing is deleted, nobody gets into debt. 1 when
 * credits of it are spent or held and stay so. May be repeated: it takes what has come back since.
 */
export async function undoImport(undo: Undo): Promise<ExitCode> {
  const sums = { grants: 0, granted: 0n, revoked: 0n, revokedBefore: 0n, held: 0n, spent: 0n, expired: 0n, refused: 0 };
  let events = 0;
  const grants = importedGrants(undo.store, undo.name, (read) => {
    events += read;
    if (undo.output.isWatched)
      undo.output.status(`${events.toLocaleString('en')} events read, ${sums.grants.toLocaleString('en')} grants`);
  });
  for await (const undone of inOrder(grants, AT_ONCE, (grant) => revoke(undo, grant))) {
    sums.grants += 1;
    sums.granted += BigInt(undone.amount);
    for (const part of ['revoked', 'revokedBefore', 'held', 'spent', 'expired'] as const)
      sums[part] += BigInt(undone[part]);
    if (undone.refusal !== null) sums.refused += 1;
    await undo.report.add(undone, textOf(undone));
  }
  const text = (value: bigint): string => value.toString();
  const { granted, revoked, revokedBefore, held, spent, expired } = sums;
  const credits = { granted, revoked, revokedBefore, held, spent, expired };
  const summary = {
    name: undo.name,
    grants: sums.grants,
    refused: sums.refused,
    ...Object.fromEntries(Object.entries(credits).map(([part, value]) => [part, text(value)])),
  };
  await undo.report.end(
    summary,
    `${sums.grants.toLocaleString('en')} grants of the import ${undo.name}: ${text(granted)} credits, ${text(revoked)} taken back now, ` +
      `${text(revokedBefore)} before; ${text(spent)} are spent, ${text(held)} held, ${text(expired)} expired`,
  );
  return held === 0n && spent === 0n && sums.refused === 0 ? 0 : 1;
}

async function revoke({ accounts, clock, name }: Undo, grant: ImportedGrant): Promise<Undone> {
  const stream = accountStream(grant.customerId, grant.unit);
  const outcome = await settledOutcome(clock, () =>
    accounts.execute({
      stream,
      command: { type: 'RevokeGrant', grantId: grant.grantId, amount: null, reason: `the import ${name} is undone` },
      key: null, // harmless to repeat: it takes what is unspent then
      origin: 'cli',
      fingerprint: null,
      actor: 'cli',
      causationId: null,
      correlationId: randomUUID(),
    }),
  );
  const events = outcome.kind === 'recorded' ? outcome.events.map(({ event }) => event) : [];
  const revoked = events
    .flatMap((event) => (event.type === 'CreditsRevoked' && event.grantId === grant.grantId ? [event.amount] : []))
    .reduce((sum, amount) => sum + amount, 0);
  const { state } = await accounts.load(stream);
  const now = accountAt(state, instantOf(clock.now())).grants.get(grant.grantId);
  if (now === undefined) throw new Error(`the account of ${grant.customerId} lacks the grant ${grant.grantId}`);
  const isRefused = outcome.kind === 'refused' && outcome.refusal.rejected !== 'amount_exceeds_grant';
  return {
    ...grant,
    revoked,
    revokedBefore: now.revoked - revoked,
    held: now.held,
    spent: now.consumed + now.repaid + now.transferred,
    expired: now.expired,
    refusal: isRefused && now.free > 0 ? outcome.refusal.rejected : null,
  };
}

function textOf({ customerId, unit, externalId, amount, held, spent, refusal }: Undone): string | null {
  if (held === 0 && spent === 0 && refusal === null) return null;
  const parts = [
    ...(spent === 0 ? [] : [`${String(spent)} spent`]),
    ...(held === 0 ? [] : [`${String(held)} held`]),
    ...(refusal === null ? [] : [`not taken back: ${refusal}`]),
  ];
  return `${customerId} ${externalId}: of ${String(amount)} ${unit} ${parts.join(', ')}`;
}
