/** A picture's pixels as a label map: colours matched, background and blurred edges resolved, holes filled. */

import { FIRM_DELTA_E, UNMATCHED, deltaE } from "./color.js";
import { grow, neighbours } from "./grow.js";

const CLOSE_DELTA_E = 8; // as near as a sketch comes that went through a JPEG
const SAME_DELTA_E = 6; // to the background's colour
const EDGE = 6; // pixels from firm colour that a blurred edge reaches
const FLAT_SHARE = 0.75;

/** @typedef {(rgb: number) => import("./color.js").Match} Matcher */
/**
 * @typedef {object} Reading
 * @property {Uint8Array} data class ids; empty if nothing matched
 * @property {number} unmatched share of the drawn pixels that are in no colour of the palette
 * @property {"sketch" | "photo" | "foreign"} kind foreign: flat areas in other colours than the palette's
 */

/**
 * @param {Uint8ClampedArray} rgba
 * @param {number} width
 * @param {number} height
 * @param {Matcher} match
 * @returns {Reading}
 */
export function readSketch(rgba, width, height, match) {
  const colors = Uint32Array.from({ length: width * height }, (_, i) => (rgba[4 * i] << 16) | (rgba[4 * i + 1] << 8) | rgba[4 * i + 2]);
  const isDrawn = Uint8Array.from(colors, (_, i) => Number(rgba[4 * i + 3] >= 128));
  const data = Uint8Array.from(colors, (color, i) => (isDrawn[i] ? match(color).id : UNMATCHED));
  leaveOutBackground(data, isDrawn, colors, width);
  let [drawn, unmatched, close] = [0, 0, 0];
  const isSoft = new Uint8Array(data.length);
  for (let i = 0; i < data.length; i++) {
    if (!isDrawn[i]) continue;
    const { distance } = match(colors[i]);
    drawn++;
    unmatched += Number(data[i] === UNMATCHED);
    close += Number(distance <= CLOSE_DELTA_E);
    isSoft[i] = Number(distance > FIRM_DELTA_E);
  }
  const kind = close >= 0.5 * drawn ? "sketch" : isFlat(colors) ? "foreign" : "photo";
  if (drawn === unmatched) return { data: new Uint8Array(0), unmatched: 1, kind };
  grow(data, width, (at) => isDrawn[at] === 1 && isSoft[at] === 0, isSoft, EDGE);
  const isHole = Uint8Array.from(data, (id) => Number(id === UNMATCHED));
  grow(data, width, (at) => isHole[at] === 0, isHole);
  return { data, unmatched: unmatched / drawn, kind };
}

/**
 * One colour of no class that reaches in from the border is paper, and not drawn yet; nor is its blurred edge.
 * @param {Uint8Array} data
 * @param {Uint8Array} isDrawn
 * @param {Uint32Array} colors
 * @param {number} width
 */
function leaveOutBackground(data, isDrawn, colors, width) {
  const isPaperLike = (/** @type {number} */ at) => isDrawn[at] === 1 && data[at] === UNMATCHED;
  const border = borderOf(width, data.length / width).filter(isPaperLike);
  if (!border.length) return;
  const paper = mostCommon(border.map((at) => colors[at]));
  /** @type {Map<number, boolean>} */
  const known = new Map();
  const isPaper = (/** @type {number} */ at) => {
    if (!isPaperLike(at)) return false;
    if (!known.has(colors[at])) known.set(colors[at], deltaE(colors[at], paper) <= SAME_DELTA_E);
    return /** @type {boolean} */ (known.get(colors[at]));
  };
  const stack = border.filter(isPaper);
  for (let at = stack.pop(); at !== undefined; at = stack.pop()) {
    if (!isPaper(at)) continue;
    isDrawn[at] = 0;
    for (const to of neighbours(at, width, data.length)) if (isPaper(to)) stack.push(to);
  }
  const isBlurred = Uint8Array.from(data, (_, at) => Number(isPaperLike(at)));
  grow(data, width, (at) => isDrawn[at] === 0, isBlurred, EDGE);
  for (let at = 0; at < data.length; at++) if (isPaperLike(at) && !isBlurred[at]) isDrawn[at] = 0;
}

/** @param {number} width @param {number} height */
function borderOf(width, height) {
  const [columns, rows] = [[...Array(width).keys()], [...Array(height).keys()]];
  const last = (height - 1) * width;
  return [...columns, ...columns.map((x) => last + x), ...rows.map((y) => y * width), ...rows.map((y) => y * width + width - 1)];
}

/** @param {number[]} values */
function mostCommon(values) {
  /** @type {Map<number, number>} */
  const counts = new Map();
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
  return [...counts].reduce((best, one) => (one[1] > best[1] ? one : best))[0];
}

/** Whether most pixels are as the one on their right: a map, whatever its colours; a photo hardly repeats. @param {Uint32Array} colors */
function isFlat(colors) {
  let same = 0;
  for (let at = 1; at < colors.length; at++) same += Number(colors[at] === colors[at - 1]);
  return same >= FLAT_SHARE * colors.length;
}
