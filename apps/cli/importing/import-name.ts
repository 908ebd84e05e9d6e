const namePattern = /^[a-z][a-z0-9_-]{0,31}$/;

/** The name of an import: lots of one name are imported once for ever. 1 to 32 lower-case letters, digits, `_` and `-`. */
export const isImportName = (name: string): boolean => namePattern.test(name);

/** What the keys of an import's commands begin with. */
export const keyPrefix = (name: string): string => `import:${name}:`;

/** The key under which a lot is granted. */
export const keyOf = (name: string, externalId: string): string => keyPrefix(name) + externalId;
