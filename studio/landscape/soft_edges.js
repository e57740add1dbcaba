/** What soft edges are: classes drawn beside them, by the server's rule (service/images/soft_edges.py). */

import { NEAR, NOT_DRAWN, SOFT, UNMATCHED, channels } from "./color.js";

const MARGIN = 30; // how far outside the box between colours in YCbCr a mixture of them may lie
const BLOCK = 4; // pixels
const REACH = 4; // how many blocks away is nearby
const MIN_EXACT = 3; // of a block's pixels: a line
const MAX_COLORS = 31; // that a picture is drawn in: as many as an integer has bits
const UNFIT = 255;

/** @typedef {import("./color.js").ColorTable} ColorTable */

/** JFIF's, without the offset. @param {number[]} rgb */
const toYCbCr = ([r, g, b]) => [
  0.299 * r + 0.587 * g + 0.114 * b,
  -0.168736 * r - 0.331264 * g + 0.5 * b,
  0.5 * r - 0.418688 * g - 0.081312 * b,
];

/**
 * Give pixels that don't speak for themselves the code of what they belong to, or of none.
 * @param {Uint16Array} codes of the pixels, row by row
 * @param {Uint32Array} pixels 0xrrggbb
 * @param {number} width
 * @param {ColorTable} table
 */
export function settle(codes, pixels, width, table) {
  const isArea = areas(codes, width, table);
  const numbers = drawnWith(codes, isArea);
  const across = Math.ceil(width / BLOCK);
  const blocks = new Uint32Array(codes.length).map((_, at) => Math.floor(at / width / BLOCK) * across + Math.floor((at % width) / BLOCK));
  const nearby = spread(surelyDrawn(codes, isArea, numbers, blocks), across);
  const sameClass = Uint32Array.from({ length: 256 }, (_, low) => bitsOf(numbers, (one) => table.classOf(low) === table.classOf(one)));
  /** @type {Map<number, (pixel: number) => number>} */
  const unmixers = new Map();
  for (let at = 0; at < codes.length; at++) {
    if (isArea[at] || codes[at] === NOT_DRAWN) continue;
    const mask = nearby[blocks[at]];
    const isBeside = codes[at] < UNMATCHED && (mask & sameClass[codes[at] & 255]) !== 0;
    if (isBeside && codes[at] < SOFT) continue;
    if (codes[at] >= SOFT && !isBeside) codes[at] = UNMATCHED;
    let unmix = unmixers.get(mask);
    if (!unmix) unmixers.set(mask, (unmix = unmixer(numbers.filter((_, bit) => mask & (1 << bit)), table)));
    codes[at] = unmix(pixels[at]) || codes[at];
  }
}

/** @param {number[]} numbers @param {(number: number) => boolean} isSet */
const bitsOf = (numbers, isSet) => numbers.reduce((bits, number, bit) => bits | (isSet(number) ? 1 << bit : 0), 0);

/** Where all of the 3 × 3 around a pixel fit its class. @param {Uint16Array} codes @param {number} width @param {ColorTable} table */
function areas(codes, width, table) {
  const labels = new Uint8Array(codes.length).map((_, at) => (codes[at] < SOFT ? table.classOf(codes[at]) : UNFIT));
  const inRow = labels.map((label, at) => {
    const x = at % width;
    return Number((x === 0 || labels[at - 1] === label) && (x === width - 1 || labels[at + 1] === label));
  });
  return labels.map((label, at) => {
    const agrees = (/** @type {number} */ to) => labels[to] === undefined || (inRow[to] && labels[to] === label);
    return Number(label !== UNFIT && inRow[at] && agrees(at - width) && agrees(at + width));
  });
}

/** The commonest colours' numbers. @param {Uint16Array} codes @param {Uint8Array} isArea */
function drawnWith(codes, isArea) {
  const counts = new Uint32Array(256);
  for (let at = 0; at < codes.length; at++) if (isArea[at] || codes[at] < NEAR) counts[codes[at] & 255]++;
  const numbers = [...counts.keys()].filter((number) => counts[number]);
  return numbers.sort((one, other) => counts[other] - counts[one]).slice(0, MAX_COLORS);
}

/**
 * For each block of pixels one bit for each of `numbers` that is surely drawn in it.
 * @param {Uint16Array} codes
 * @param {Uint8Array} isArea
 * @param {number[]} numbers
 * @param {Uint32Array} blocks of the pixels
 */
function surelyDrawn(codes, isArea, numbers, blocks) {
  const masks = new Uint32Array(blocks[blocks.length - 1] + 1);
  const bitOf = Uint32Array.from({ length: 256 }, (_, low) => bitsOf(numbers, (number) => number === low));
  const thin = new Uint8Array(masks.length << 8); // exact pixels outside areas, by block and number
  for (let at = 0; at < codes.length; at++) {
    const [block, low] = [blocks[at], codes[at] & 255];
    if (isArea[at] || (codes[at] < NEAR && ++thin[(block << 8) | low] >= MIN_EXACT)) masks[block] |= bitOf[low];
  }
  return masks;
}

/** Each mask with those of all blocks nearby. @param {Uint32Array} masks @param {number} across */
function spread(masks, across) {
  const rows = masks.map((_, at) => {
    const start = at - (at % across);
    return union(masks.subarray(Math.max(start, at - REACH), Math.min(start + across, at + REACH + 1)));
  });
  const steps = Array.from({ length: 2 * REACH + 1 }, (_, i) => (i - REACH) * across);
  return rows.map((_, at) => union(steps.map((step) => rows[at + step])));
}

/** @param {ArrayLike<number>} masks what lies outside has none */
const union = (masks) => Array.prototype.reduce.call(masks, (bits, mask) => bits | mask, 0);

/**
 * @param {number[]} numbers
 * @param {ColorTable} table
 * @returns {(pixel: number) => number} the nearest colour's code for a mixture of theirs, 0 for what is none
 */
function unmixer(numbers, table) {
  if (new Set(numbers.map((number) => table.classOf(number))).size < 2) return () => 0;
  const ends = numbers.map((number) => toYCbCr(table.colors[number - 1]));
  const low = [0, 1, 2].map((i) => Math.min(...ends.map((end) => end[i])) - MARGIN);
  const high = [0, 1, 2].map((i) => Math.max(...ends.map((end) => end[i])) + MARGIN);
  return (pixel) => {
    const mixed = toYCbCr(channels(pixel));
    if (mixed.some((value, i) => value < low[i] || value > high[i])) return 0;
    // JPEG smears colour into its surroundings, brightness hardly
    const far = ends.map((end) => (mixed[0] - end[0]) ** 2 + ((mixed[1] - end[1]) ** 2 + (mixed[2] - end[2]) ** 2) / 4);
    return numbers[far.indexOf(Math.min(...far))];
  };
}
