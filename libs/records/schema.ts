/** The schema of the records that the log does not hold: what is lost here cannot be rebuilt. */
export const SCHEMA = 'scrip_app';
