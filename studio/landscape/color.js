/** Colours to palette classes: nearest in CIE Lab (D65), by the server's rule (service/images/palette_match.py). */

const MAX_DELTA_E = [1, 5, 20]; // CIE76; that a colour may lie from the palette's to be exact, near or soft
export const [NEAR, SOFT, UNMATCHED, NOT_DRAWN] = [1, 2, 3, 4].map((level) => level << 8);
export const HOLE = 254; // a label: no class
const MAX_KNOWN = 1 << 18; // colours that are remembered

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

/** @param {number} rgb 0xrrggbb @returns {[number, number, number]} */
export const channels = (rgb) => [rgb >> 16, (rgb >> 8) & 255, rgb & 255];

/** Colours to draw in. A code: the nearest one's number plus one, and above it how well that fits. */
export class ColorTable {
  /** @type {Map<number, number>} */
  #known = new Map();

  /** @param {string[][]} colors of each class, in the order of the ids */
  constructor(colors) {
    this.colors = colors.flat().map(parseHex);
    this.classes = colors.flatMap((ofOne, id) => ofOne.map(() => id));
    this.labs = this.colors.map((color) => toLab(...color));
  }

  /** The class of a code; `HOLE` for one of none. @param {number} code */
  classOf(code) {
    return code < UNMATCHED ? (this.classes[(code & 255) - 1] ?? HOLE) : HOLE;
  }

  /** One more colour, of no class; what was matched stays. @param {number} rgb 0xrrggbb */
  with(rgb) {
    return Object.assign(new ColorTable([]), { colors: [...this.colors, channels(rgb)], classes: this.classes });
  }

  /** @param {number} rgb 0xrrggbb @returns {number} its code */
  match(rgb) {
    let code = this.#known.get(rgb);
    if (code !== undefined) return code;
    const [L, a, b] = toLab(...channels(rgb));
    let [best, least] = [0, Infinity];
    for (const [number, lab] of this.labs.entries()) {
      const squared = (lab[0] - L) ** 2 + (lab[1] - a) ** 2 + (lab[2] - b) ** 2;
      if (squared < least) [best, least] = [number, squared];
    }
    code = (MAX_DELTA_E.filter((delta) => least > delta ** 2).length << 8) + best + 1;
    if (this.#known.size >= MAX_KNOWN) this.#known.clear();
    this.#known.set(rgb, code);
    return code;
  }
}
