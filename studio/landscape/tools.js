/** The tools: what a pointer that goes down, moves and comes up does to the label map. */

import { halfWidths, stamp, stroke } from "./brush.js";
import { fillPolygon, floodFill } from "./fill.js";
import { outline } from "./view.js";

/** @typedef {import("./view.js").Point} Point */
/** @typedef {import("./label_map.js").LabelMap} LabelMap */

/**
 * @typedef {object} Bench what the tools work with
 * @property {LabelMap} map
 * @property {() => number} value the class to draw with
 * @property {() => number} size of the brush
 * @property {() => import("./brush.js").Shape} shape
 * @property {(id: number) => void} pick
 * @property {() => void} changed the drawing has changed, and more may come
 * @property {() => void} done a step is complete
 */

/**
 * @typedef {object} Tool
 * @property {(at: Point, event: Modifiers) => void} down
 * @property {(at: Point, event: Modifiers) => void} move while down
 * @property {(at: Point, event: Modifiers) => void} up
 * @property {() => void} cancel
 * @property {(at: Point) => void} [hover] while up
 * @property {() => boolean} [finish] Enter; false if there was nothing to finish
 * @property {(context: CanvasRenderingContext2D, pixel: number) => void} [draw] over the sketch
 */

/** @typedef {{shiftKey: boolean, scale: number}} Modifiers scale: the pen's pressure, 1 for full */

/** @param {Bench} bench @returns {Tool} */
function brush(bench) {
  /** @type {Point | null} */
  let last = null;
  /** @type {Point | null} where the former stroke ended: Shift goes on from there */
  let ended = null;
  const rows = (/** @type {Modifiers} */ event) => halfWidths(bench.shape(), Math.max(1, bench.size() * event.scale));
  return {
    down(at, event) {
      bench.map.begin();
      if (event.shiftKey && ended) stroke(bench.map, ended, at, rows(event), bench.value());
      else stamp(bench.map, at.x, at.y, rows(event), bench.value());
      last = at;
      bench.changed();
    },
    move(at, event) {
      if (!last || (at.x === last.x && at.y === last.y)) return;
      stroke(bench.map, last, at, rows(event), bench.value());
      last = at;
      bench.changed();
    },
    up() {
      ended = last;
      last = null;
      bench.done();
    },
    cancel() {
      last = null;
      bench.map.cancel();
      bench.changed();
    },
  };
}

/** Nearest of the eight directions, with Shift. @param {Point} from @param {Point} to @param {boolean} isStraight @returns {Point} */
export function straighten(from, to, isStraight) {
  if (!isStraight) return to;
  const angle = Math.round(Math.atan2(to.y - from.y, to.x - from.x) / (Math.PI / 4)) * (Math.PI / 4);
  const length = (to.x - from.x) * Math.cos(angle) + (to.y - from.y) * Math.sin(angle);
  return { x: Math.round(from.x + length * Math.cos(angle)), y: Math.round(from.y + length * Math.sin(angle)) };
}

/** @param {Bench} bench @returns {Tool} */
function line(bench) {
  /** @type {Point | null} */
  let from = null;
  /** @type {Point} */
  let to = { x: 0, y: 0 };
  return {
    down(at) {
      from = to = at;
    },
    move(at, event) {
      if (from) to = straighten(from, at, event.shiftKey);
    },
    up() {
      if (!from) return;
      bench.map.begin();
      stroke(bench.map, from, to, halfWidths(bench.shape(), bench.size()), bench.value());
      from = null;
      bench.done();
    },
    cancel() {
      from = null;
    },
    draw(context, pixel) {
      if (!from) return;
      context.beginPath();
      context.moveTo(from.x, from.y);
      context.lineTo(to.x, to.y);
      outline(context, pixel);
    },
  };
}

const CLOSE = 9; // this near to its first corner, a click closes the polygon

/** @param {Bench} bench @returns {Tool} */
function polygon(bench) {
  /** @type {Point[]} */
  let corners = [];
  /** @type {Point} */
  let next = { x: 0, y: 0 };
  const finish = () => {
    const points = corners;
    corners = [];
    if (points.length < 3) return points.length > 0;
    bench.map.begin();
    fillPolygon(bench.map, points, bench.value());
    bench.done();
    return true;
  };
  return {
    down(at) {
      next = at;
      if (!corners.length) corners.push(at); // a drag from the first corner makes the first edge
    },
    move(at, event) {
      next = straighten(corners[corners.length - 1] ?? at, at, event.shiftKey);
    },
    up(at, event) {
      const last = corners[corners.length - 1];
      if (!last) return;
      next = straighten(last, at, event.shiftKey);
      const near = (/** @type {Point} */ p, /** @type {number} */ reach) => Math.hypot(p.x - next.x, p.y - next.y) < reach;
      if (corners.length > 2 && (near(corners[0], CLOSE) || near(last, 3))) finish();
      else if (!near(last, 2)) corners.push(next);
    },
    hover(at) {
      next = at;
    },
    cancel() {
      corners = [];
    },
    finish,
    draw(context, pixel) {
      if (!corners.length) return;
      context.beginPath();
      for (const point of [...corners, next]) context.lineTo(point.x, point.y);
      outline(context, pixel);
      context.beginPath();
      context.arc(corners[0].x, corners[0].y, 5 * pixel, 0, 2 * Math.PI);
      outline(context, pixel);
    },
  };
}

/** @param {Bench} bench @param {(at: Point) => void} act @returns {Tool} */
function click(bench, act) {
  return {
    down(at) {
      if (at.x >= 0 && at.y >= 0 && at.x < bench.map.width && at.y < bench.map.height) act(at);
    },
    move() {},
    up() {},
    cancel() {},
  };
}

/** @param {Bench} bench @returns {Record<string, Tool>} */
export function makeTools(bench) {
  const { map } = bench;
  return {
    brush: brush(bench),
    line: line(bench),
    polygon: polygon(bench),
    fill: click(bench, (at) => {
      map.begin();
      floodFill(map, at.x, at.y, bench.value());
      bench.done();
    }),
    pick: click(bench, (at) => bench.pick(map.data[at.y * map.width + at.x])),
  };
}
