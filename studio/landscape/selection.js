/** A part of the label map that can be moved: a box, or an area of one class; what it leaves takes the class around it. */

import { grow, neighbours } from "./grow.js";

/** @typedef {import("./label_map.js").LabelMap} LabelMap */
/** @typedef {import("./viewport.js").Point} Point */

export class Selection {
  /** @param {LabelMap} map @param {Uint8Array} mask 1 for what is selected, row by row of the map */
  constructor(map, mask) {
    this.map = map;
    this.mask = mask;
    this.width = map.width;
  }

  /** Whether the map still has the shape that this was selected in. */
  get isValid() {
    return this.width === this.map.width && this.mask.length === this.map.data.length;
  }

  /** @param {LabelMap} map @param {Point} one corner @param {Point} other */
  static box(map, one, other) {
    const mask = new Uint8Array(map.data.length);
    const clip = (/** @type {number} */ value, /** @type {number} */ most) => Math.max(0, Math.min(most - 1, value));
    const [left, right] = [one.x, other.x].map((x) => clip(x, map.width)).sort((a, b) => a - b);
    const [top, bottom] = [one.y, other.y].map((y) => clip(y, map.height)).sort((a, b) => a - b);
    for (let y = top; y <= bottom; y++) mask.fill(1, y * map.width + left, y * map.width + right + 1);
    return new Selection(map, mask);
  }

  /** The area of one class around a pixel. @param {LabelMap} map @param {Point} at */
  static area(map, at) {
    const mask = new Uint8Array(map.data.length);
    const from = at.y * map.width + at.x;
    const stack = [from];
    mask[from] = 1;
    for (let here = stack.pop(); here !== undefined; here = stack.pop()) {
      for (const to of neighbours(here, map.width, mask.length)) {
        if (mask[to] || map.data[to] !== map.data[from]) continue;
        mask[to] = 1;
        stack.push(to);
      }
    }
    return new Selection(map, mask);
  }

  /** @param {Point} at */
  has({ x, y }) {
    return x >= 0 && y >= 0 && x < this.map.width && y < this.map.height && this.mask[y * this.map.width + x] === 1;
  }

  /** Take it up. @returns {(x: number, y: number) => Selection} puts it down so far from where it was, and selects it there */
  lift() {
    const { map, mask } = this;
    const lifted = map.data.slice();
    const under = map.data.slice();
    grow(under, map.width, (at) => mask[at] === 0, mask.slice());
    return (x, y) => {
      const moved = new Uint8Array(mask.length);
      for (let row = 0; row < map.height; row++) {
        for (let column = 0; column < map.width; column++) {
          const at = row * map.width + column;
          const isFrom = column >= x && column < map.width + x && row >= y && row < map.height + y && mask[at - y * map.width - x] === 1;
          const value = isFrom ? lifted[at - y * map.width - x] : under[at];
          moved[at] = Number(isFrom);
          if (map.data[at] !== value) map.span(row, column, column, value);
        }
      }
      return new Selection(map, moved);
    };
  }

  /** @param {CanvasRenderingContext2D} context */
  trace(context) {
    const { width } = this.map;
    for (let at = 0; at < this.mask.length; at++) {
      if (!this.mask[at]) continue;
      const [x, y] = [(at % width) - 0.5, Math.floor(at / width) - 0.5];
      if (!this.mask[at - width]) line(context, x, y, x + 1, y);
      if (!this.mask[at + width]) line(context, x, y + 1, x + 1, y + 1);
      if (at % width === 0 || !this.mask[at - 1]) line(context, x, y, x, y + 1);
      if (at % width === width - 1 || !this.mask[at + 1]) line(context, x + 1, y, x + 1, y + 1);
    }
  }
}

/** @param {CanvasRenderingContext2D} context @param {number} x @param {number} y @param {number} toX @param {number} toY */
function line(context, x, y, toX, toY) {
  context.moveTo(x, y);
  context.lineTo(toX, toY);
}
