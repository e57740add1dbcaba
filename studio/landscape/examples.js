/** Sketches to start from, as functions of the place: x to the right and y down, 0 to 1. */

import { LabelMap } from "./label_map.js";
import { ridge, rough } from "./noise.js";

/**
 * @typedef {object} Example
 * @property {string} name
 * @property {(x: number, y: number) => string} at the class there
 */

/** A row of firs along `base`, as tall as `height`. @param {number} x @param {number} y @param {number} base @param {number} height @param {number} count */
function isFir(x, y, base, height, count) {
  const cell = Math.floor(x * count);
  const across = Math.abs(x * count - cell - 0.5) * 2; // 0 at the trunk, 1 between two firs
  const top = base - height * (0.65 + 0.5 * rough(cell * 0.73, 0.2, 9, 1));
  const up = (base - y) / (base - top); // 0 at the foot, 1 at the tip
  return up >= 0 && up <= 1 && across < (1 - up) * 1.15;
}

/** @type {Example[]} */
export const EXAMPLES = [
  {
    name: "Sea and sky",
    at: (_, y) => (y < 0.5 ? "sky" : "sea"),
  },
  {
    name: "Coast",
    at(x, y) {
      const cliff = 0.3 + 0.75 * Math.max(0, x - 0.42) ** 0.8 * -0.35 + 0.05 * ridge(x, 3, 5);
      const shore = 0.98 - 0.62 * x + 0.05 * ridge(x, 8, 4);
      if (y < 0.46 && !(x > 0.5 && y > cliff)) return "sky";
      if (y > shore) return y > shore + 0.13 ? "grass" : "sand";
      if (x > 0.5 && y < 0.52 + 0.02 * ridge(x, 5, 9)) return y < cliff + 0.05 ? "grass" : "rock";
      return "sea";
    },
  },
  {
    name: "Mountain lake",
    at(x, y) {
      const far = 0.34 - 0.16 * Math.exp(-(((x - 0.68) / 0.2) ** 2)) - 0.1 * Math.exp(-(((x - 0.22) / 0.17) ** 2)) + 0.04 * ridge(x, 21, 6);
      const shore = 0.56 + 0.012 * ridge(x, 4, 6);
      if (y < far) return "sky";
      if (isFir(x, y, shore, 0.13, 26) && (x < 0.36 || x > 0.74)) return "tree";
      if (y < shore) return y > shore - 0.035 - 0.03 * rough(x * 4, 0, 7) ? "grass" : "mountain";
      const bank = 0.93 - 0.25 * Math.max(0, 0.4 - x) + 0.02 * ridge(x, 6, 7);
      return y < bank ? "lake" : "grass";
    },
  },
  {
    name: "Snowy peaks",
    at(x, y) {
      const peak = Math.min(Math.abs(x - 0.36) * 0.95, Math.abs(x - 0.74) * 1.1 + 0.1);
      const top = 0.14 + peak + 0.04 * ridge(x, 31, 9);
      const hills = 0.66 + 0.05 * ridge(x, 33, 3);
      if (y < Math.min(top, hills)) return "sky";
      if (isFir(x, y, 0.86 + 0.03 * ridge(x, 2, 3), 0.2, 17)) return "tree";
      if (y < hills) return y < top + 0.17 + 0.09 * rough(x * 12, y * 4, 5) ? "snow" : "mountain";
      return y < 0.8 + 0.05 * ridge(x, 35, 3) ? "grass" : "field";
    },
  },
  {
    name: "River valley",
    at(x, y) {
      const left = 0.2 + 0.62 * x + 0.04 * ridge(x, 41, 6);
      const right = 0.2 + 0.62 * (1 - x) + 0.04 * ridge(x, 47, 6);
      const skyline = Math.min(left, right, 0.46);
      if (y < skyline) return "sky";
      const depth = Math.max(0, (y - 0.46) / 0.54);
      const middle = 0.5 + 0.2 * Math.sin(depth * 4.6) * depth + 0.03 * rough(0, y * 8, 3);
      if (y > 0.46 && Math.abs(x - middle) < 0.015 + 0.2 * depth) return "river";
      if (y < 0.46 && y > 0.36 && Math.abs(x - 0.5) < 0.22) return "mountain";
      return rough(x * 5, y * 5, 13, 3) > 0.16 ? "tree" : "grass";
    },
  },
  {
    name: "Desert",
    at(x, y) {
      const mesa = Math.max(Math.tanh((0.11 - Math.abs(x - 0.24)) * 60), Math.tanh((0.06 - Math.abs(x - 0.78)) * 60));
      const skyline = 0.52 - 0.1 * (1 + mesa) * (x < 0.5 ? 1 : 0.7) + 0.008 * ridge(x, 51, 20);
      const dune = 0.66 + 0.09 * Math.sin(x * 5 + 0.6) + 0.02 * ridge(x, 53, 4);
      if (y < skyline && y < 0.54) return "sky";
      if (y < 0.55 + 0.01 * ridge(x, 55, 7)) return "rock";
      if (y > dune && rough(x * 22, y * 22, 57, 2) > 0.5) return "plant";
      return "sand";
    },
  },
  {
    name: "Country road",
    at(x, y) {
      const horizon = 0.47 + 0.03 * ridge(x, 61, 4);
      if (y < horizon) {
        if (y > horizon - 0.1 - 0.1 * rough(x * 9, 0, 63) && (x < 0.38 || x > 0.62)) return "tree";
        return y > 0.4 + 0.05 * ridge(x, 65, 3) ? "mountain" : "sky";
      }
      const depth = (y - 0.46) / 0.54;
      const middle = 0.5 + 0.11 * Math.sin(depth * 3.4) * (1 - depth);
      if (Math.abs(x - middle) < 0.012 + 0.26 * depth * depth + 0.03 * depth) return "road";
      return x < middle ? "field" : "grass";
    },
  },
  {
    name: "Town on the hill",
    at(x, y) {
      const hill = 0.86 - 0.34 * Math.exp(-(((x - 0.56) / 0.28) ** 2)) + 0.012 * ridge(x, 71, 8);
      for (const [column, drop] of [[0, 0], [0.5, 0.055], [0.25, 0.11]]) {
        const house = Math.floor(x * 11 + column);
        const across = Math.abs(x * 11 + column - house - 0.5);
        const tall = 0.05 + 0.025 * (rough(house * 1.7, drop * 40, 73, 1) + 0.6);
        const foot = hill + drop + 0.02;
        const isThere = x > 0.3 + drop && x < 0.84 - drop && across < 0.4 && rough(house * 3.1, drop * 90, 79, 1) > -0.6;
        if (isThere && y < foot && y > foot - tall + across * 0.07) return "building";
      }
      if (y < Math.min(hill, 0.6 + 0.03 * ridge(x, 75, 4))) return "sky";
      if (y < hill) return "mountain";
      return rough(x * 7, y * 7, 77, 3) > 0.16 ? "tree" : "grass";
    },
  },
  {
    name: "Island",
    at(x, y) {
      const top = 0.54 - 0.25 * Math.exp(-(((x - 0.5) / 0.14) ** 2)) - 0.06 * Math.exp(-(((x - 0.7) / 0.09) ** 2)) + 0.015 * ridge(x, 81, 14);
      const beach = 0.56 + 0.06 * Math.sqrt(Math.max(0, 1 - ((x - 0.52) / 0.36) ** 2)) + 0.006 * ridge(x, 83, 9);
      const isIsland = Math.abs(x - 0.52) < 0.36;
      if (isIsland && y > top && y < beach) {
        if (y > beach - 0.035) return "sand";
        return y > top + 0.11 + 0.05 * rough(x * 15, 0, 85) || top > 0.47 ? "tree" : "rock";
      }
      return y < 0.54 ? "sky" : "sea";
    },
  },
];

/**
 * @param {Example} example
 * @param {number} width
 * @param {number} height
 * @param {(name: string) => number} idOf
 */
export function drawExample(example, width, height, idOf) {
  const map = new LabelMap(width, height);
  const ids = new Map();
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const name = example.at((x + 0.5) / width, (y + 0.5) / height);
      if (!ids.has(name)) ids.set(name, idOf(name));
      map.data[y * width + x] = ids.get(name);
    }
  }
  return map;
}
