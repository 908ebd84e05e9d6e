import 'reflect-metadata';
import type { Dto } from './dto.js';

/** Members of a query whose names callers choose, behind a prefix; each is text that `isValid`. */
export type OpenMember = {
  readonly prefix: string;
  readonly message: string;
  readonly isValid: (value: string) => boolean;
};

const openKey = 'scrip:open-members';
/** So many of them a query may have. */
const most = 10;

/** Lets a query have members that begin with `prefix` and go on with a name of 1 to 100 characters. */
export const OpenMembers =
  (prefix: string, message: string, isValid: OpenMember['isValid']): ClassDecorator =>
  (target) => {
    Reflect.defineMetadata(openKey, { prefix, message, isValid } satisfies OpenMember, target);
  };

/** What a class lets callers name; null for most. */
export const openMembersOf = (dto: Dto): OpenMember | null =>
  (Reflect.getMetadata(openKey, dto) as OpenMember | undefined) ?? null;

/** What is wrong with a member that no field is for; null when it is one of the open ones, and well. */
export function openMemberError(open: OpenMember | null, object: object, name: string): string | null {
  const unknown = 'is not a known field';
  if (open === null || !name.startsWith(open.prefix)) return unknown;
  const rest = [...name.slice(open.prefix.length)].length;
  if (rest === 0 || rest > 100 || !name.isWellFormed() || name.includes('\0')) return unknown;
  if (Object.keys(object).filter((other) => other.startsWith(open.prefix)).length > most)
    return `must not be one of more than ${String(most)}`;
  const value: unknown = (object as Readonly<Record<string, unknown>>)[name];
  const isText = typeof value === 'string' && value.isWellFormed() && !value.includes('\0');
  return isText && open.isValid(value) ? null : open.message;
}
