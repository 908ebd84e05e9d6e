import { Answer } from './answer.js';
import type { ApiRequest } from './caller.js';

/** The header that asks for a decision without its record. A route offers it by `Needs`; admission refuses it everywhere else. */
export const dryRunHeader = 'scrip-dry-run';

/** Whether a request only asks how its command would end. */
export const isDryRun = ({ headers }: ApiRequest): boolean => headers[dryRunHeader] === 'true';

/** The answer to a command that was not recorded: it has no place in the log. What was refused is answered as ever. */
export function asDryRun(answer: Answer): Answer {
  if (answer.isProblem) return answer;
  const { position: _position, ...body } = answer.body as { readonly position?: string };
  return new Answer(answer.status, { ...body, dryRun: true }, answer.replayed);
}
