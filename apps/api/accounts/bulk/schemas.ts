import { problemKinds, type ProblemCode } from '../../http/problems.js';
import { schemasOf } from '../../openapi/dto-schemas.js';
import { problemOf } from '../../openapi/problem-schemas.js';
import { flag, list, object, ref, type Schema } from '../../openapi/schema.js';
import { usageProblems } from '../../usage/refusals.js';
import { commandProblems } from '../commands/refusals.js';
import { bulkCommands, bulkKinds, maxCommands } from './commands.js';

/** What each command of a bulk request may be refused with, besides what its kind alone is. */
const everyCommand: readonly ProblemCode[] = [
  'invalid_request',
  'forbidden',
  'command_too_large',
  'conflict',
  'idempotency_key_reused',
  'internal_error',
  'overloaded',
  'outcome_unknown',
  'store_unavailable',
];

const commandName = (kind: string): string => `${kind.charAt(0).toUpperCase()}${kind.slice(1)}Command`;

const codes = Object.keys(problemKinds) as readonly ProblemCode[];
const kindProblems = [...Object.values(commandProblems).flat(), ...usageProblems];
const refusals = codes.filter((code) => everyCommand.includes(code) || kindProblems.includes(code as never));

/** The shapes of a bulk request: its commands, by their `type` those of the single routes, and their results. */
export const bulkSchemas: { readonly [name: string]: Schema } = {
  ...(Object.assign(
    {},
    ...bulkKinds.map((kind) => schemasOf(commandName(kind), bulkCommands[kind].classes, { type: kind })),
  ) as Record<string, Schema>),
  BulkCommand: {
    description: 'The members of the single command, with its `type`, its account and its key.',
    oneOf: bulkKinds.map((kind) => ref(commandName(kind))),
    discriminator: {
      propertyName: 'type',
      mapping: Object.fromEntries(bulkKinds.map((kind) => [kind, `#/components/schemas/${commandName(kind)}`])),
    },
  },
  BulkBody: object(
    { commands: { type: 'array', minItems: 1, maxItems: maxCommands, items: ref('BulkCommand') } },
    { additionalProperties: false },
  ),
  BulkSuccess: object({
    status: { type: 'integer', format: 'int32', enum: [201] },
    replayed: { ...flag, description: 'As the header Idempotent-Replayed.' },
    body: {
      description: 'The answer of the single command.',
      anyOf: [...new Set(bulkKinds.map((kind) => bulkCommands[kind].answer))].map(ref),
    },
  }),
  BulkRefusal: object({
    status: {
      type: 'integer',
      format: 'int32',
      enum: [...new Set(refusals.map((code) => problemKinds[code].status))].sort((a, b) => a - b),
    },
    replayed: { ...flag, enum: [false] },
    body: problemOf(refusals),
  }),
  BulkResult: { oneOf: [ref('BulkSuccess'), ref('BulkRefusal')] },
  BulkAnswer: object({ results: { ...list(ref('BulkResult')), description: 'In the order of the commands.' } }),
};
