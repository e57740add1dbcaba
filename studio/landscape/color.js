/** Colours to palette classes: nearest in CIE Lab (D65), as the server does it. */

export const MAX_DELTA_E = 20; // CIE76; farther from every palette colour is unmatched
export const FIRM_DELTA_E = 4; // nearer was surely drawn in the palette's colour
export const UNMATCHED = 255;
const MAX_KNOWN = 1 << 18; // colours that are remembered

const LINEAR = Float64Array.from({ length: 256 }, (_, i) => {
  const c = i / 255;
  return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
});

/** @typedef {{id: number, distance: number}} Match id: UNMATCHED if nothing is near; distance: ΔE to the nearest */

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

/** ΔE between two colours. @param {number} one 0xrrggbb @param {number} other */
export function deltaE(one, other) {
  const [a, b] = [one, other].map((rgb) => toLab(rgb >> 16, (rgb >> 8) & 255, rgb & 255));
  return Math.hypot(a[0] - b[0], a[1] - b[1], a[2] - b[2]);
}

/**
 * @param {string[][]} colors of each class, in the order of the ids
 * @returns {(rgb: number) => Match} of 0xrrggbb
 */
export function matcher(colors) {
  const labs = colors.flatMap((ofOne, id) => ofOne.map((color) => ({ id, lab: toLab(...parseHex(color)) })));
  /** @type {Map<number, Match>} */
  const known = new Map();
  return (rgb) => {
    const found = known.get(rgb);
    if (found) return found;
    const [L, a, b] = toLab(rgb >> 16, (rgb >> 8) & 255, rgb & 255);
    let best = UNMATCHED;
    let least = Infinity;
    for (const { id, lab } of labs) {
      const squared = (lab[0] - L) ** 2 + (lab[1] - a) ** 2 + (lab[2] - b) ** 2;
      if (squared < least) [best, least] = [id, squared];
    }
    const distance = Math.sqrt(least);
    const match = { id: distance <= MAX_DELTA_E ? best : UNMATCHED, distance };
    if (known.size >= MAX_KNOWN) known.clear();
    known.set(rgb, match);
    return match;
  };
}
