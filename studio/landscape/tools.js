/** The tools: what a pointer that goes down, moves and comes up does to the label map. */

import { halfWidths, stamp, stroke } from "./brush.js";
import { fillPolygon, floodFill } from "./fill.js";
import { Selection } from "./selection.js";
import { horizon, mountain } from "./shapes.js";
import { Smoother } from "./smoother.js";
import { outline } from "./view.js";

/** @typedef {import("./viewport.js").Point} Point */
/** @typedef {import("./label_map.js").LabelMap} LabelMap */

/**
 * @typedef {object} Bench what the tools work with
 * @property {LabelMap} map
 * @property {() => number} value the class to draw with
 * @property {() => number} size of the brush
 * @property {() => import("./brush.js").Shape} shape
 * @property {() => boolean} isSmooth whether strokes are smoothed
 * @property {(id: number) => void} pick
 * @property {() => void} changed the drawing has changed, and more may come
 * @property {() => void} done a step is complete
 */

/**
 * @typedef {object} Tool
 * @property {(at: Point, event: Modifiers) => void} down
 * @property {(at: Point, event: Modifiers) => void} move while down
 * @property {(at: Point, event: Modifiers) => void} up
 * @property {() => void} cancel gives up all that isn't done
 * @property {() => void} [abandon] gives up what the pointer that is down has begun; `cancel` if it is left out
 * @property {(at: Point) => boolean} [holds] whether a key that presses here takes hold, until it presses again
 * @property {(at: Point) => void} [hover] while up
 * @property {() => boolean} [finish] Enter; false if there was nothing to finish
 * @property {(context: CanvasRenderingContext2D, pixel: number) => void} [draw] over the sketch
 */

/** @typedef {{shiftKey: boolean, scale: number}} Modifiers scale: the pen's pressure, 1 for full */

/** @param {Bench} bench @returns {Tool} */
function brush(bench) {
  /** @type {Point | null} how far the stroke is drawn */
  let last = null;
  /** @type {Point} the pointer, which a smoothed stroke follows at a distance */
  let pointer = { x: 0, y: 0 };
  /** @type {Smoother | null} */
  let smoother = null;
  /** @type {Point | null} where the former stroke ended: Shift goes on from there */
  let ended = null;
  const rows = (/** @type {Modifiers} */ event) => halfWidths(bench.shape(), Math.max(1, bench.size() * event.scale));
  const follow = (/** @type {Point[]} */ path, /** @type {Modifiers} */ event) => {
    for (const to of path) {
      if (!last || (to.x === last.x && to.y === last.y)) continue;
      stroke(bench.map, last, to, rows(event), bench.value());
      last = to;
      bench.changed();
    }
  };
  return {
    down(at, event) {
      bench.map.begin();
      if (event.shiftKey && ended) stroke(bench.map, ended, at, rows(event), bench.value());
      else stamp(bench.map, at.x, at.y, rows(event), bench.value());
      smoother = bench.isSmooth() ? new Smoother(at) : null;
      last = pointer = at;
      bench.changed();
    },
    move(at, event) {
      if (!last) return;
      pointer = at;
      follow(smoother ? smoother.push(at) : [at], event);
    },
    up(at, event) {
      if (smoother && last) follow(smoother.end(at), event);
      ended = last;
      last = smoother = null;
      bench.done();
    },
    cancel() {
      if (!last) return;
      last = smoother = null;
      bench.map.cancel();
      bench.changed();
    },
    draw(context, pixel) {
      if (!smoother || !last) return;
      context.beginPath();
      context.moveTo(last.x, last.y);
      context.lineTo(pointer.x, pointer.y);
      outline(context, pixel);
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
    holds: () => true,
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
  let isFirst = false; // the pointer that is down has put the first corner
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
      isFirst = corners.length === 0;
      if (isFirst) corners.push(at); // a drag from the first corner makes the first edge
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
    abandon() {
      if (isFirst) corners = [];
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

/**
 * It acts when the pointer comes up: a finger that goes down may be the first of two.
 * @param {Bench} bench
 * @param {(at: Point) => void} act
 * @returns {Tool}
 */
function click(bench, act) {
  let isDown = false;
  return {
    down() {
      isDown = true;
    },
    move() {},
    up(at) {
      if (isDown && at.x >= 0 && at.y >= 0 && at.x < bench.map.width && at.y < bench.map.height) act(at);
      isDown = false;
    },
    cancel() {
      isDown = false;
    },
  };
}

/** A shape that a drag sets up. @param {Bench} bench @param {import("./shapes.js").Shape} shape @returns {Tool} */
function shaped(bench, shape) {
  /** @type {Point | null} */
  let from = null;
  let seed = 0;
  const show = (/** @type {Point} */ at, /** @type {Modifiers} */ event) => {
    if (!from) return;
    bench.map.cancel();
    shape(bench.map, from, at, seed, event.shiftKey, bench.value());
    bench.changed();
  };
  return {
    down(at, event) {
      bench.map.begin();
      from = at;
      seed = Math.floor(Math.random() * 1e6);
      show(at, event);
    },
    move: show,
    up(at, event) {
      show(at, event);
      from = null;
      bench.done();
    },
    cancel() {
      if (!from) return;
      from = null;
      bench.map.cancel();
      bench.changed();
    },
    holds: () => true,
  };
}

const TAP = 4; // pixels; a drag that is shorter was a click

/** Selects an area by a click, a box by a drag; then a drag moves it. @param {Bench} bench @returns {Tool} */
function select(bench) {
  const { map } = bench;
  /** @type {Selection | null} */
  let selected = null;
  /** @type {Point | null} */
  let from = null;
  /** @type {Point} */
  let to = { x: 0, y: 0 };
  /** @type {((x: number, y: number) => Selection) | null} */
  let put = null;
  return {
    down(at) {
      from = to = at;
      put = null;
      if (!selected?.isValid || !selected.has(at)) return;
      map.begin();
      put = selected.lift();
    },
    move(at) {
      to = at;
      if (!from || !put) return;
      selected = unmirrored(map, () => /** @type {NonNullable<typeof put>} */ (put)(at.x - /** @type {Point} */ (from).x, at.y - /** @type {Point} */ (from).y));
      bench.changed();
    },
    up(at) {
      if (!from) return;
      const isTap = Math.max(Math.abs(at.x - from.x), Math.abs(at.y - from.y)) < TAP;
      if (put) bench.done();
      else if (!isTap) selected = Selection.box(map, from, at);
      else selected = at.x >= 0 && at.y >= 0 && at.x < map.width && at.y < map.height ? Selection.area(map, at) : null;
      from = put = null;
    },
    cancel() {
      if (put) {
        map.cancel();
        bench.changed();
      }
      selected = from = put = null;
    },
    holds: (at) => selected !== null && selected.isValid && selected.has(at),
    draw(context, pixel) {
      context.beginPath();
      if (from && !put) context.rect(Math.min(from.x, to.x), Math.min(from.y, to.y), Math.abs(to.x - from.x), Math.abs(to.y - from.y));
      else if (selected?.isValid) selected.trace(context);
      outline(context, pixel);
    },
  };
}

/**
 * @template T
 * @param {LabelMap} map
 * @param {() => T} act
 * @returns {T}
 */
function unmirrored(map, act) {
  const { isMirrored } = map;
  map.isMirrored = false;
  const result = act();
  map.isMirrored = isMirrored;
  return result;
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
      unmirrored(map, () => floodFill(map, at.x, at.y, bench.value()));
      if (map.isMirrored) unmirrored(map, () => floodFill(map, map.width - 1 - at.x, at.y, bench.value()));
      bench.done();
    }),
    mountain: shaped(bench, mountain),
    horizon: shaped(bench, horizon),
    select: select(bench),
    pick: click(bench, (at) => bench.pick(map.data[at.y * map.width + at.x])),
  };
}
