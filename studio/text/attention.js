/** Attention as the API gives it, and what of it is shown: some heads' mean over the context. */

/**
 * @typedef {object} Attention what the model looked at when it drew a token
 * @property {number} index among the drawn tokens
 * @property {string} token
 * @property {string[]} context the tokens it could see, oldest first
 * @property {number[][][]} weights by layer, head and token of the context
 */

/**
 * @param {number[][][]} weights
 * @param {number | null} layer null: all of them
 * @param {number | null} head null: all of them
 * @returns {number[]} the mean of the heads that are meant, for each token of the context
 */
export function meanOf(weights, layer, head) {
  const layers = layer === null ? weights : [weights[layer]];
  const rows = layers.flatMap((heads) => (head === null ? heads : [heads[head]]));
  return rows[0].map((_, at) => rows.reduce((sum, row) => sum + row[at], 0) / rows.length);
}

/**
 * @param {number[]} weights
 * @param {number} count
 * @returns {number[]} the places of the largest, largest first
 */
export function largest(weights, count) {
  const places = weights.map((_, at) => at);
  return places.sort((one, other) => weights[other] - weights[one]).slice(0, count);
}

/**
 * Which tokens to ask for at once, so that the neighbours are there when they are wanted.
 * @param {number} index the one that is looked at
 * @param {number} numTokens how many there are
 * @param {number} limit how many may be asked for
 */
export function neighbours(index, numTokens, limit) {
  const count = Math.min(limit, numTokens);
  const first = Math.max(0, Math.min(index - (count >> 1), numTokens - count));
  return Array.from({ length: count }, (_, at) => first + at);
}
