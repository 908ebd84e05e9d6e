import fc from 'fast-check';

/**
 * Every test run tries the same random cases, so that a red run is about the change and can be repeated. PROPERTY_SEED tries others,
 * and so does PROPERTY_FACTOR, which looks so many times as long.
 */
const { PROPERTY_SEED: seed, PROPERTY_FACTOR: factor } = process.env;
if (seed !== undefined || factor === undefined) fc.configureGlobal({ seed: Number(seed ?? 1) });
