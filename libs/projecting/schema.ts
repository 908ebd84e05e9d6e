/** The schema of all read models: it may be dropped, and is rebuilt from the log. */
export const SCHEMA = 'scrip_read';

/** The full name of a projection's table in one generation. */
export const tableOf = (name: string, generation: number): string => `${SCHEMA}.${name}_g${String(generation)}`;
