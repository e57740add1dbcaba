/** Colours to palette classes: nearest in CIE Lab (D65), as the server does it. */

export const MAX_DELTA_E = 20; // CIE76; farther from every palette colour is unmatched
export const UNMATCHED = 255;

const LINEAR = Float64Array.from({ length: 256 }, (_, i) => {
  const c = i / 255;
  return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
});

/** @param {string} hex "#rrggbb" @returns {[number, number, number]} */
export function parseHex(hex) {
  const value = parseInt(hex.slice(1), 16);
  return [value >> 16, (value >> 8) & 255, value & 255];
}

/** @param {number} t */
const f = (t) => (t > 216 / 24389 ? Math.cbrt(t) : ((24389 / 27) * t + 16) / 116);

/**
 * @param {number} r
 * @param {number} g
 * @param {number} b 0 to 255 each
 * @returns {[number, number, number]} L, a, b
 */
export function toLab(r, g, b) {
  const [R, G, B] = [LINEAR[r], LINEAR[g], LINEAR[b]];
  const x = f((0.4124564 * R + 0.3575761 * G + 0.1804375 * B) / 0.950470);
  const y = f(0.2126729 * R + 0.7151522 * G + 0.072175 * B);
  const z = f((0.0193339 * R + 0.119192 * G + 0.9503041 * B) / 1.0888300);
  return [116 * y - 16, 500 * (x - y), 200 * (y - z)];
}

/**
 * @param {string[][]} colors of each class, in the order of the ids
 * @returns {(rgb: number) => number} from 0xrrggbb to the class id, or UNMATCHED
 */
export function snapper(colors) {
  const labs = colors.flatMap((ofOne, id) => ofOne.map((color) => ({ id, lab: toLab(...parseHex(color)) })));
  /** @type {Map<number, number>} */
  const known = new Map();
  return (rgb) => {
    const found = known.get(rgb);
    if (found !== undefined) return found;
    const [L, a, b] = toLab(rgb >> 16, (rgb >> 8) & 255, rgb & 255);
    let best = UNMATCHED;
    let least = MAX_DELTA_E ** 2;
    for (const { id, lab } of labs) {
      const distance = (lab[0] - L) ** 2 + (lab[1] - a) ** 2 + (lab[2] - b) ** 2;
      if (distance <= least) [best, least] = [id, distance];
    }
    known.set(rgb, best);
    return best;
  };
}

/**
 * Snap pixels, and give those without a class that of a near one.
 * @param {Uint8ClampedArray} rgba
 * @param {number} size of the square
 * @param {(rgb: number) => number} snap
 * @returns {{data: Uint8Array, unmatched: number}} class ids, and the share of drawn pixels that matched none;
 *   empty data when nothing matched
 */
export function snapPixels(rgba, size, snap) {
  const data = new Uint8Array(size * size);
  let drawn = 0;
  let unmatched = 0;
  for (let i = 0; i < data.length; i++) {
    const isDrawn = rgba[4 * i + 3] >= 128;
    data[i] = isDrawn ? snap((rgba[4 * i] << 16) | (rgba[4 * i + 1] << 8) | rgba[4 * i + 2]) : UNMATCHED;
    drawn += Number(isDrawn);
    unmatched += Number(isDrawn && data[i] === UNMATCHED);
  }
  if (drawn === unmatched) return { data: new Uint8Array(0), unmatched: 1 };
  fillHoles(data, size);
  return { data, unmatched: unmatched / drawn };
}

/** Grow the classes into the holes, a ring at a time. @param {Uint8Array} data @param {number} size */
function fillHoles(data, size) {
  /** @type {number[]} */
  let front = [];
  for (let i = 0; i < data.length; i++) if (data[i] !== UNMATCHED) front.push(i);
  while (front.length) {
    /** @type {number[]} */
    const next = [];
    for (const at of front) {
      const x = at % size;
      for (const to of [x > 0 ? at - 1 : -1, x < size - 1 ? at + 1 : -1, at - size, at + size]) {
        if (to >= 0 && to < data.length && data[to] === UNMATCHED) {
          data[to] = data[at];
          next.push(to);
        }
      }
    }
    front = next;
  }
}
