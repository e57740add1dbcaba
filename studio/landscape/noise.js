/** Repeatable roughness of skylines: value noise, in octaves. */

/** @param {number} x @param {number} y @param {number} seed @returns {number} 0 to 1, for whole x and y */
function hash(x, y, seed) {
  let h = Math.imul(x, 374761393) ^ Math.imul(y, 668265263) ^ Math.imul(seed, 2147483647);
  h = Math.imul(h ^ (h >>> 13), 1274126177);
  return ((h ^ (h >>> 16)) >>> 0) / 4294967296;
}

/** @param {number} t */
const smooth = (t) => t * t * (3 - 2 * t);

/** @param {number} x @param {number} y @param {number} seed */
function noise(x, y, seed) {
  const [left, top] = [Math.floor(x), Math.floor(y)];
  const [u, v] = [smooth(x - left), smooth(y - top)];
  const above = hash(left, top, seed) * (1 - u) + hash(left + 1, top, seed) * u;
  const below = hash(left, top + 1, seed) * (1 - u) + hash(left + 1, top + 1, seed) * u;
  return above * (1 - v) + below * v;
}

/**
 * @param {number} x
 * @param {number} y
 * @param {number} seed
 * @param {number} [octaves]
 * @returns {number} −1 to 1
 */
function rough(x, y, seed, octaves = 4) {
  let sum = 0;
  let total = 0;
  for (let octave = 0, weight = 1, scale = 1; octave < octaves; octave++, weight /= 2, scale *= 2) {
    sum += weight * (2 * noise(x * scale, y * scale, seed + octave) - 1);
    total += weight;
  }
  return sum / total;
}

/** A skyline: the height of row y at x. @param {number} x @param {number} seed @param {number} scale */
export const ridge = (x, seed, scale) => rough(x * scale, 0.5, seed, 5);
