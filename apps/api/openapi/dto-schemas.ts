import 'reflect-metadata';
import { belongsTo, formsOf, type Form } from '../http/validation/forms.js';
import type { Dto } from '../http/validation/dto.js';
import { ref, type Schema } from './schema.js';

/** A field of a body as the document describes it. */
type Described = { readonly schema: () => Schema; readonly required: boolean };
type Fields = ReadonlyMap<string, Described>;

const fieldsKey = 'scrip:fields';
const bodies = new Map<string, Dto>();

/** Notes what the document says of a field. Used by the rules; a schema that refers to another class is read late. */
export function noteField(target: object, name: string, schema: () => Schema, required: boolean): void {
  const inherited = (Reflect.getMetadata(fieldsKey, target) ?? new Map()) as Fields;
  Reflect.defineMetadata(fieldsKey, new Map(inherited).set(name, { schema, required }), target);
}

/** Notes that a route takes a body of this class, and gives back a reference to its schema. */
export function bodySchema(dto: Dto): Schema {
  bodies.set(dto.name, dto);
  return ref(dto.name);
}

/** The schemas of all bodies that routes take, with what they refer to. */
export function bodySchemas(): { readonly [name: string]: Schema } {
  return Object.assign({}, ...[...bodies.values()].map((dto) => schemasOf(dto.name, [dto]))) as Record<string, Schema>;
}

/**
 * The schemas of a body with the fields of these classes: of each of its forms, and of what its fields refer to. `fixed`: fields of
 * one value, as the kind of a command.
 */
export function schemasOf(
  name: string,
  classes: readonly Dto[],
  fixed: Form['fixed'] = {},
): { readonly [name: string]: Schema } {
  const fields: Fields = new Map(
    classes.flatMap((dto) => [...((Reflect.getMetadata(fieldsKey, dto.prototype as object) ?? new Map()) as Fields)]),
  );
  const forms = classes.flatMap(formsOf);
  const found: Record<string, Schema> = {};
  if (forms.length === 0) found[name] = bodyOf(name, fields, fixed, found);
  // One of several commands that are known by a field: generators want an object there, and no choice within the choice.
  else if (Object.keys(fixed).length > 0) found[name] = { ...bodyOf(name, fields, fixed, found), ...oneFormOf(forms) };
  else {
    const names = forms.map((form) => form.name);
    found[name] = { oneOf: names.map(ref) };
    const varying = varyingIn(forms);
    forms.forEach((form, at) => {
      const own = [...fields].filter(([field]) => !varying.has(field) || belongsTo(form, field));
      const withNeeds = own.map(
        ([field, { schema, required }]) =>
          [field, { schema, required: required || form.needs.includes(field) }] as const,
      );
      found[names[at] ?? ''] = bodyOf(name, new Map(withNeeds), { ...fixed, ...form.fixed }, found);
    });
  }
  return found;
}

/** The fields that not all forms have. */
const varyingIn = (forms: readonly Form[]): ReadonlySet<string> =>
  new Set(forms.flatMap(({ needs, takes = [] }) => [...needs, ...takes]));

/** Says of an object with the fields of all forms that exactly one form fits. */
function oneFormOf(forms: readonly Form[]): Schema {
  const varying = [...varyingIn(forms)];
  // Not every reader of OpenAPI knows `false` as the schema of a property.
  const only = (form: Form): Schema => {
    const others = varying.filter((field) => !belongsTo(form, field)).map((field) => ({ required: [field] }));
    return { required: form.needs, not: others.length === 1 ? others[0] : { anyOf: others } };
  };
  return forms.reduceRight<Schema>(
    (otherwise, form) =>
      Object.keys(otherwise).length === 0
        ? only(form)
        : { if: { required: [form.needs[0]] }, then: only(form), else: otherwise },
    {},
  );
}

/**
 * A body of these fields. Whatever has a default becomes a schema of its own: generators of types take a field with a default for
 * one that is always there, which is true of no request.
 */
function bodyOf(name: string, fields: Fields, fixed: Form['fixed'] = {}, found: Record<string, Schema>): Schema {
  const properties: Record<string, Schema> = {};
  for (const [field, { schema }] of fields) {
    const described = field in fixed ? { ...schema(), enum: [fixed[field]], example: fixed[field] } : schema();
    const { nested, ...rest } = described as { nested?: Dto } & Schema;
    if (nested !== undefined) Object.assign(found, schemasOf(nested.name, [nested]));
    if (!('default' in rest)) properties[field] = rest;
    else {
      const shared = field === 'unit' ? 'Unit' : `${name.replace(/(Body|Command)$/, '')}${capital(field)}`;
      found[shared] = rest;
      properties[field] = ref(shared);
    }
  }
  const required = [...fields].filter(([, field]) => field.required).map(([field]) => field);
  return {
    type: 'object',
    ...(required.length === 0 ? {} : { required }),
    properties,
    additionalProperties: false,
  };
}

const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);
