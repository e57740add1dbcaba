/** Seeds, as the API takes them: whole numbers from 0 to 2^53 − 1. */

export const MAX_SEED = Number.MAX_SAFE_INTEGER;

/** A short one, that people can read to each other. */
export function rollSeed() {
  return Math.floor(Math.random() * 1_000_000);
}

/**
 * @param {string} text
 * @returns {number | null} null for what is no seed
 */
export function parseSeed(text) {
  if (!/^\d{1,16}$/.test(text.trim())) return null;
  const value = Number(text);
  return value <= MAX_SEED ? value : null;
}
