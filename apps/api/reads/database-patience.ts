/** So that a reader hears within five seconds that the database does not answer. */
export const databasePatience = { connectTimeoutMs: 2_000, queryTimeoutMs: 2_500 };
