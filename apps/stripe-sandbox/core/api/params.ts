import { invalid } from './errors.js';

export type Tree = string | Branch;
export type Branch = Map<string, Tree>;

const maxDepth = 12;
const maxParameters = 2000;

/** Parses a query or a form body with Stripe's nesting: `a[b][0][c]=1`, `a[]=1`. */
export function parseForm(text: string): Branch {
  const root: Branch = new Map();
  let count = 0;
  for (const [key, value] of new URLSearchParams(text)) {
    count += 1;
    if (count > maxParameters) throw invalid('Too many parameters');
    const path = key.replaceAll(']', '').split('[');
    if (path.length > maxDepth) throw invalid('Parameters are nested too deeply', path[0]);
    place(root, path, value);
  }
  return root;
}

function place(root: Branch, path: readonly string[], value: string): void {
  let branch = root;
  path.forEach((part, index) => {
    const name = part === '' ? nextIndex(branch, path[index + 1]) : part;
    if (index === path.length - 1) {
      branch.set(name, value);
      return;
    }
    const next = branch.get(name);
    const child: Branch = next instanceof Map ? next : new Map();
    branch.set(name, child);
    branch = child;
  });
}

/** The index that `[]` means: the last element as long as it lacks the member that follows (`a[][b]=1&a[][c]=2`), else a new one. */
function nextIndex(branch: Branch, member: string | undefined): string {
  const last = branch.get(String(branch.size - 1));
  const goesOn = member !== undefined && member !== '' && last instanceof Map && !last.has(member);
  return String(goesOn ? branch.size - 1 : branch.size);
}

/** Text of a form with its parameters in order, to compare two requests. */
export function fingerprint(tree: Tree): string {
  if (typeof tree === 'string') return JSON.stringify(tree);
  return `{${[...tree.entries()]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, value]) => `${key}:${fingerprint(value)}`)
    .join(',')}}`;
}

/**
 * Reads the parameters of one request with Stripe's checks and messages. Every read marks its parameter as known;
 * `finish` refuses what nobody read, so a parameter the sandbox does not serve is told instead of ignored.
 */
export class Params {
  readonly #tree: Branch;
  readonly #path: string;
  readonly #read = new Set<string>();
  readonly #children: Params[] = [];

  constructor(tree: Branch, path = '') {
    this.#tree = tree;
    this.#path = path;
  }

  /** The parameter's full name as Stripe writes it in errors. */
  name(key: string): string {
    return this.#path === '' ? key : `${this.#path}[${key}]`;
  }

  has(key: string): boolean {
    return this.#tree.has(key);
  }

  keys(): readonly string[] {
    return [...this.#tree.keys()];
  }

  /** Known, but without meaning in the sandbox (locale and other looks). */
  accept(...keys: readonly string[]): void {
    for (const key of keys) this.#read.add(key);
  }

  /** A text; undefined when absent; null when sent empty, which unsets. */
  emptyable(key: string): string | null | undefined {
    this.#read.add(key);
    const value = this.#tree.get(key);
    if (value === undefined) return undefined;
    if (typeof value !== 'string') throw invalid(`Invalid string: ${this.name(key)}`, this.name(key));
    if (value.length > 5000) throw invalid(`Invalid string: must be at most 5000 characters`, this.name(key));
    return value === '' ? null : value;
  }

  text(key: string): string | undefined {
    const value = this.emptyable(key);
    if (value === null) {
      throw invalid(
        `You passed an empty string for '${this.name(key)}'. We assume empty values are an attempt to unset a parameter; however '${this.name(key)}' cannot be unset.`,
        this.name(key),
        'parameter_invalid_empty',
      );
    }
    return value;
  }

  required(key: string): string {
    return this.text(key) ?? this.#absent(key);
  }

  integer(key: string): number | undefined {
    const value = this.text(key);
    if (value === undefined) return undefined;
    if (!/^-?\d{1,15}$/.test(value))
      throw invalid(`Invalid integer: ${value}`, this.name(key), 'parameter_invalid_integer');
    return Number(value);
  }

  requiredInteger(key: string): number {
    return this.integer(key) ?? this.#absent(key);
  }

  /** An integer that an empty value unsets. */
  emptyableInteger(key: string): number | null | undefined {
    return this.emptyable(key) === null ? null : this.integer(key);
  }

  flag(key: string): boolean | undefined {
    const value = this.text(key);
    if (value === undefined) return undefined;
    const word = value.toLowerCase(); // older Python clients write `True`
    if (word !== 'true' && word !== 'false') throw invalid(`Invalid boolean: ${value}`, this.name(key));
    return word === 'true';
  }

  oneOf<const T extends string>(key: string, allowed: readonly T[]): T | undefined {
    const value = this.text(key);
    if (value === undefined) return undefined;
    const found = allowed.find((one) => one === value);
    if (found === undefined)
      throw invalid(`Invalid ${this.name(key)}: must be one of ${allowed.join(', ')}`, this.name(key));
    return found;
  }

  child(key: string): Params | undefined {
    this.#read.add(key);
    const value = this.#tree.get(key);
    if (value === undefined || value === '') return undefined;
    if (typeof value === 'string') throw invalid(`Invalid object`, this.name(key));
    const child = new Params(value, this.name(key));
    this.#children.push(child);
    return child;
  }

  /** A list of objects, in the order of their indexes. */
  children(key: string): readonly Params[] | undefined {
    const list = this.child(key);
    if (list === undefined) return undefined;
    return list.#inOrder().map((index) => list.child(index) ?? list.#absent(index));
  }

  texts(key: string): readonly string[] | undefined {
    const list = this.child(key);
    if (list === undefined) return undefined;
    return list.#inOrder().map((index) => list.required(index));
  }

  /** Metadata with Stripe's bounds: 50 keys of 40 characters, values of 500; an empty value removes its key. */
  metadata(old: Readonly<Record<string, string>> = {}, key = 'metadata'): Record<string, string> {
    if (this.#tree.get(key) === '') {
      this.#read.add(key);
      return {};
    }
    const given = this.child(key);
    const result = new Map(Object.entries(old));
    for (const name of given?.keys() ?? []) {
      const value = given?.emptyable(name) ?? null;
      if (name.length > 40) throw invalid('Metadata keys must be under 40 characters', `${this.name(key)}[${name}]`);
      if (value === null) result.delete(name);
      else if (value.length > 500) {
        throw invalid('Metadata values must be under 500 characters', `${this.name(key)}[${name}]`);
      } else result.set(name, value);
    }
    if (result.size > 50) throw invalid('Metadata can have up to 50 keys', this.name(key));
    return Object.fromEntries(result);
  }

  /** The parameters whose names begin with `prefix`, by their names without it. */
  without(prefix: string): Params {
    const found = [...this.#tree].filter(([key]) => key.startsWith(prefix));
    for (const [key] of found) this.#read.add(key);
    const child = new Params(new Map(found.map(([key, value]) => [key.slice(prefix.length), value])));
    this.#children.push(child);
    return child;
  }

  /** These parameters and what is nested in them, by their names in a form. */
  flattened(keys: readonly string[]): Record<string, string> {
    const found: [string, string][] = [];
    const visit = (name: string, value: Tree): void => {
      if (typeof value === 'string') found.push([name, value]);
      else for (const [key, member] of value) visit(`${name}[${key}]`, member);
    };
    for (const key of keys) {
      const value = this.#tree.get(key);
      this.#read.add(key);
      if (value !== undefined) visit(this.name(key), value);
    }
    return Object.fromEntries(found);
  }

  /** Refuses the parameters that nobody read. */
  finish(): void {
    for (const key of this.#tree.keys()) {
      if (!this.#read.has(key)) {
        throw invalid(`Received unknown parameter: ${this.name(key)}`, this.name(key), 'parameter_unknown');
      }
    }
    for (const child of this.#children) child.finish();
  }

  #inOrder(): readonly string[] {
    return [...this.#tree.keys()].sort((a, b) => Number(a) - Number(b));
  }

  #absent(key: string): never {
    throw invalid(`Missing required param: ${this.name(key)}.`, this.name(key), 'parameter_missing');
  }
}
