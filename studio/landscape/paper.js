/** What isn't drawn yet: one colour of no class that reaches in from the border (service/images/background.py). */

import { ColorTable, NOT_DRAWN, SOFT } from "./color.js";
import { neighbours } from "./grow.js";

const MIN_BORDER_SHARE = 0.05; // of the border; what is less is no paper, but a soft edge that meets the border

/**
 * Give paper a code of its own, so that soft edges beside it have two sides.
 * @param {Uint16Array} codes of the pixels, row by row; changed where there is paper
 * @param {Uint32Array} pixels 0xrrggbb
 * @param {number} width
 * @param {number} code
 * @returns {number | null} the paper's colour
 */
export function findPaper(codes, pixels, width, code) {
  const isOpen = (/** @type {number} */ at) => codes[at] >= SOFT && codes[at] < NOT_DRAWN;
  const border = borderOf(width, codes.length / width);
  const open = border.filter(isOpen);
  if (!open.length) return null;
  const paper = mostCommon(open.map((at) => pixels[at]));
  const alike = new ColorTable([[`#${paper.toString(16).padStart(6, "0")}`]]);
  const isPaper = (/** @type {number} */ at) => isOpen(at) && alike.match(pixels[at]) < SOFT;
  const stack = border.filter(isPaper);
  if (stack.length < MIN_BORDER_SHARE * border.length) return null;
  for (let at = stack.pop(); at !== undefined; at = stack.pop()) {
    if (!isPaper(at)) continue;
    codes[at] = code;
    stack.push(...neighbours(at, width, codes.length).filter(isPaper));
  }
  return paper;
}

/** @param {number} width @param {number} height */
function borderOf(width, height) {
  const [columns, rows] = [[...Array(width).keys()], [...Array(height).keys()].slice(1, -1)];
  return [...columns.flatMap((x) => [x, x + width * (height - 1)]), ...rows.flatMap((y) => [y * width, (y + 1) * width - 1])];
}

/** The lowest of the commonest. @param {number[]} values */
function mostCommon(values) {
  /** @type {Map<number, number>} */
  const counts = new Map();
  for (const value of values.sort((one, other) => one - other)) counts.set(value, (counts.get(value) ?? 0) + 1);
  return [...counts].reduce((best, one) => (one[1] > best[1] ? one : best))[0];
}
