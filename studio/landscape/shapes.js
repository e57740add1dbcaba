/** Shapes to start a landscape from: a horizon, and mountains. Their outlines are rough, each in its own way. */

import { ridge } from "./noise.js";

/** @typedef {import("./label_map.js").LabelMap} LabelMap */
/** @typedef {import("./viewport.js").Point} Point */
/** @typedef {(map: LabelMap, from: Point, to: Point, seed: number, isPlain: boolean, value: number) => void} Shape isPlain: not rough */

const UNEVEN = 0.008; // of a horizon, as a share of the map's height
const JAGGED = 0.16; // of a mountain, as a share of its own

/** All below a line. @type {Shape} */
export function horizon(map, _, to, seed, isPlain, value) {
  const tops = Array.from({ length: map.width }, (_, x) => to.y + (isPlain ? 0 : UNEVEN * map.height * ridge(x / map.width, seed, 7)));
  fillBelow(map, 0, tops, map.height - 1, value);
}

/** From a foot, where it began, to a peak at half the way across. @type {Shape} */
export function mountain(map, from, to, seed, isPlain, value) {
  const [left, right] = [Math.min(from.x, to.x), Math.max(from.x, to.x)];
  const base = Math.max(from.y, to.y);
  const height = Math.abs(from.y - to.y);
  const tops = Array.from({ length: right - left + 1 }, (_, i) => {
    const aside = Math.abs((2 * i) / Math.max(1, right - left) - 1); // 0 at the peak, 1 at the feet
    const rough = isPlain ? 0 : JAGGED * (1 - aside ** 4) * ridge(i / Math.max(1, right - left), seed, 5);
    return base - height * Math.max(0, 1 - aside + rough);
  });
  fillBelow(map, left, tops, base, value);
}

/**
 * @param {LabelMap} map
 * @param {number} left column of the first
 * @param {number[]} tops of the columns
 * @param {number} base last row
 * @param {number} value
 */
function fillBelow(map, left, tops, base, value) {
  for (let y = Math.max(0, Math.floor(Math.min(...tops))); y <= Math.min(base, map.height - 1); y++) {
    for (let from = 0; from < tops.length; from++) {
      if (tops[from] > y) continue;
      let end = from;
      while (end + 1 < tops.length && tops[end + 1] <= y) end++;
      map.span(y, left + from, left + end, value);
      from = end;
    }
  }
}
