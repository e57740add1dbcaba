/** A picture's pixels as a label map: paper left out, soft edges settled, holes filled. */

import { HOLE, NEAR, NOT_DRAWN, SOFT, UNMATCHED } from "./color.js";
import { grow } from "./grow.js";
import { findPaper } from "./paper.js";
import { settle } from "./soft_edges.js";

const FLAT_SHARE = 0.75;

/** @typedef {import("./color.js").ColorTable} ColorTable */
/**
 * @typedef {object} Reading
 * @property {Uint8Array} data class ids; empty if nothing matched
 * @property {number} unmatched share of the drawn pixels that are in no colour of the palette
 * @property {boolean} isExact whether all that is drawn is in exact colours
 * @property {boolean} isPhoto
 */

/**
 * @param {Uint8ClampedArray} rgba
 * @param {number} width
 * @param {number} height
 * @param {ColorTable} table
 * @returns {Reading}
 */
export function readSketch(rgba, width, height, table) {
  const { data, unmatched, close, pixels, isExact } = readLabels(rgba, width, height, table);
  const isPhoto = close < 0.5 && !isFlat(pixels);
  if (data.every((id) => id === HOLE)) return { data: new Uint8Array(0), unmatched: 1, isExact: false, isPhoto };
  const isHole = Uint8Array.from(data, (id) => Number(id === HOLE));
  grow(data, width, (at) => isHole[at] === 0, isHole);
  return { data, unmatched, isExact, isPhoto };
}

/**
 * What each pixel is, as the server sees it with `background=ignore`: class ids and `HOLE`s.
 * @param {Uint8ClampedArray} rgba
 * @param {number} width
 * @param {number} height
 * @param {ColorTable} table
 */
export function readLabels(rgba, width, height, table) {
  const pixels = new Uint32Array(width * height).map((_, i) => (rgba[4 * i] << 16) | (rgba[4 * i + 1] << 8) | rgba[4 * i + 2]);
  const codes = new Uint16Array(pixels.length).map((_, i) => (rgba[4 * i + 3] >= 128 ? table.match(pixels[i]) : NOT_DRAWN));
  const paperCode = table.colors.length + 1;
  const paper = findPaper(codes, pixels, width, paperCode);
  const isDrawn = (/** @type {number} */ code) => code !== NOT_DRAWN && code !== paperCode;
  const near = count(codes, (code) => isDrawn(code) && code < SOFT);
  const close = near / Math.max(1, count(codes, isDrawn));
  const isExact = !codes.some((code) => isDrawn(code) && code >= NEAR);
  if (!isExact) settle(codes, pixels, width, paper === null ? table : table.with(paper));
  const numUnmatched = count(codes, (code) => code >= UNMATCHED && code < NOT_DRAWN);
  return { data: new Uint8Array(codes.length).map((_, i) => table.classOf(codes[i])), unmatched: numUnmatched / Math.max(1, count(codes, isDrawn)), close, pixels, isExact };
}

/** @param {Uint16Array} codes @param {(code: number) => boolean} isCounted */
const count = (codes, isCounted) => codes.reduce((sum, code) => sum + Number(isCounted(code)), 0);

/** Whether most pixels are as the one before: a map, whatever its colours. @param {Uint32Array} pixels */
function isFlat(pixels) {
  let same = 0;
  for (let at = 1; at < pixels.length; at++) same += Number(pixels[at] === pixels[at - 1]);
  return same >= FLAT_SHARE * pixels.length;
}
