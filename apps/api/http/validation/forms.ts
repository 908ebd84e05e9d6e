import 'reflect-metadata';
import type { FieldError } from '../problem.js';
import type { Dto } from './dto.js';

/** One way to fill in a body that has several. */
export type Form = {
  /** The name of its schema. */
  readonly name: string;
  /** Fields that have one value in this form. */
  readonly fixed?: { readonly [field: string]: string };
  /** Fields that must be there. The first one is by what a form is recognised. */
  readonly needs: readonly [string, ...string[]];
  /** Fields that may be there. */
  readonly takes?: readonly string[];
};

const formsKey = 'scrip:forms';

/**
 * The forms that a body has: exactly one must fit. A field that a form names belongs to the forms that name it, all other fields
 * belong to each. The OpenAPI document says the same with `oneOf`.
 */
export const Forms =
  (...forms: readonly Form[]): ClassDecorator =>
  (dto) => {
    Reflect.defineMetadata(formsKey, forms, dto);
  };

/** The forms of a class; none where its body has only one. */
export const formsOf = (dto: Dto): readonly Form[] => (Reflect.getMetadata(formsKey, dto) ?? []) as readonly Form[];

/** Whether a form has a place for the field, among fields that only some forms have. */
export const belongsTo = (form: Form, field: string): boolean =>
  form.needs.includes(field) || form.takes?.includes(field) === true;

/** What is wrong with a body of several forms whose fields are each valid; empty when exactly one form fits. */
export function formErrors(forms: readonly Form[], body: object): readonly FieldError[] {
  if (forms.length === 0) return none;
  const fields = body as Readonly<Record<string, unknown>>;
  const possible = forms.filter(({ fixed = {} }) => Object.keys(fixed).every((name) => fields[name] === fixed[name]));
  const begun = possible.length === 1 ? possible : possible.filter(({ needs: [first] }) => fields[first] !== undefined);
  const [form] = begun;
  if (form === undefined || begun.length > 1) {
    const first = possible.map(({ needs }) => needs[0]);
    return [{ field: first[0] ?? '', message: `send either ${first.join(' or ')}` }];
  }
  for (const other of forms) {
    for (const field of [...other.needs, ...(other.takes ?? [])])
      if (fields[field] !== undefined && !belongsTo(form, field))
        return [{ field, message: `does not go together with ${form.needs[0]}` }];
  }
  const missing = form.needs.find((field) => fields[field] === undefined);
  if (missing === undefined) return none;
  const [mode] = Object.values(form.fixed ?? {});
  return [{ field: missing, message: `is needed with ${mode ?? form.needs[0]}` }];
}

const none: readonly FieldError[] = [];
