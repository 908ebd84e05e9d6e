/** The schema of the records that the log does not hold: what is lost here cannot be built anew. */
export const SCHEMA = 'scrip_app';
