// What the tools do to a label map, and what the view shows of it.
import assert from "node:assert/strict";
import { test } from "node:test";

import { LabelMap } from "../../studio/landscape/label_map.js";
import { Selection } from "../../studio/landscape/selection.js";
import { horizon, mountain } from "../../studio/landscape/shapes.js";
import { Smoother } from "../../studio/landscape/smoother.js";
import { sidesOf, stretch } from "../../studio/landscape/stretch.js";
import { makeTools } from "../../studio/landscape/tools.js";
import { Viewport } from "../../studio/landscape/viewport.js";

const near = (one, other, most = 1e-9) => assert.ok(Math.abs(one - other) <= most, `${one} ≠ ${other}`);
const full = { shiftKey: false, scale: 1 };

function bench(map, options = {}) {
  const log = { done: 0, picked: null };
  const given = { map, value: () => 5, size: () => 3, shape: () => "round", isSmooth: () => false, pick: (id) => (log.picked = id), changed: () => {}, done: () => log.done++, ...options };
  return { tools: makeTools(given), log };
}

const drag = (tool, ...points) => {
  tool.down(points[0], full);
  for (const point of points.slice(1)) tool.move(point, full);
  tool.up(points.at(-1), full);
};

test("zooming keeps what is under the pointer, and the view stays on the map", () => {
  const viewport = new Viewport({ width: 512, height: 256 });
  const share = { x: 0.7, y: 0.2 };
  const before = viewport.toMap(share);
  viewport.zoomAt(share, 3);
  near(viewport.toMap(share).x, before.x);
  near(viewport.toMap(share).y, before.y);
  viewport.pan(5, -5);
  assert.deepEqual(viewport.corner, { x: 0, y: 256 * (1 - 1 / 3) });
  viewport.zoomAt({ x: 1, y: 1 }, 0.01);
  assert.deepEqual([viewport.zoom, viewport.corner], [1, { x: 0, y: 0 }]);
  viewport.zoomAt(share, 1000);
  assert.equal(viewport.zoom, 16);
});

test("two fingers hold what is under them", () => {
  const viewport = new Viewport({ width: 400, height: 400 });
  viewport.zoomAt({ x: 0.5, y: 0.5 }, 4);
  const [before, after] = [[{ x: 0.4, y: 0.4 }, { x: 0.6, y: 0.6 }], [{ x: 0.35, y: 0.45 }, { x: 0.65, y: 0.75 }]];
  const held = before.map((one) => viewport.toMap(one));
  viewport.pinch(before, after);
  after.forEach((one, i) => {
    near(viewport.toMap(one).x, held[i].x, 1e-6);
    near(viewport.toMap(one).y, held[i].y, 1e-6);
  });
  near(viewport.zoom, 6);
});

test("a smoothed stroke begins and ends where the pointer did, is the same backwards, and is smoother", () => {
  const path = Array.from({ length: 200 }, (_, i) => ({ x: 3 * i, y: 100 + (i % 2 ? 4 : -4) }));
  const smooth = (points) => {
    const smoother = new Smoother(points[0]);
    return [points[0], ...points.slice(1, -1).flatMap((one) => smoother.push(one)), ...smoother.end(points.at(-1))];
  };
  const found = smooth(path);
  assert.deepEqual([found[0], found.at(-1)], [path[0], path.at(-1)]);
  const inner = found.filter((one) => one.x > 40 && one.x < 560);
  assert.ok(inner.length > 100 && inner.every((one) => Math.abs(one.y - 100) <= 1), "the shaking is gone");
  const corner = [{ x: 0, y: 0 }, { x: 60, y: 0 }, { x: 60, y: 60 }]; // 3 divides its sides
  const key = (one) => `${one.x},${one.y}`;
  assert.deepEqual(new Set(smooth(corner).map(key)), new Set(smooth(corner.toReversed()).map(key)));
  assert.deepEqual(smooth([{ x: 5, y: 5 }, { x: 5, y: 5 }]).at(-1), { x: 5, y: 5 });
});

test("a smoothed brush leaves no gap and reaches the pointer", () => {
  const map = new LabelMap(128, 64);
  drag(bench(map, { isSmooth: () => true }).tools.brush, { x: 5, y: 30 }, { x: 60, y: 35 }, { x: 120, y: 25 });
  for (let x = 5; x <= 120; x++) assert.ok([...Array(64).keys()].some((y) => map.data[y * 128 + x] === 5), `column ${x}`);
  assert.equal(map.data[25 * 128 + 120], 5);
});

test("what is mirrored is the same on both sides, fills too", () => {
  const map = new LabelMap(64, 32);
  map.isMirrored = true;
  const { tools } = bench(map);
  drag(tools.brush, { x: 3, y: 3 }, { x: 20, y: 9 });
  drag(tools.polygon, { x: 5, y: 15 }, { x: 12, y: 15 });
  drag(tools.polygon, { x: 12, y: 28 });
  tools.polygon.finish();
  map.data[10 * 64 + 0] = 9;
  map.data[10 * 64 + 63] = 9;
  drag(tools.fill, { x: 0, y: 10 });
  for (let y = 0; y < 32; y++) for (let x = 0; x < 64; x++) assert.equal(map.data[y * 64 + x], map.data[y * 64 + 63 - x], `${x}, ${y}`);
  assert.equal(map.data[10 * 64 + 63], 5);
});

test("an area or a box is moved, and what it leaves takes the class around it", () => {
  const map = new LabelMap(64, 32);
  map.data.fill(1);
  for (let y = 5; y < 10; y++) map.span(y, 5, 9, 7);
  map.isMirrored = true; // a move isn't mirrored
  const { tools, log } = bench(map);
  drag(tools.select, { x: 6, y: 6 }); // a click selects the area
  drag(tools.select, { x: 6, y: 6 }, { x: 10, y: 10 }, { x: 26, y: 12 });
  assert.equal(log.done, 1);
  const at = (x, y) => map.data[y * 64 + x];
  assert.deepEqual([at(6, 6), at(25, 11), at(29, 15), at(30, 15), at(57, 6)], [1, 7, 7, 1, 1]);
  assert.equal(map.data.filter((value) => value === 7).length, 25);
  drag(tools.select, { x: 26, y: 12 }, { x: 90, y: 12 }); // off the edge
  assert.equal(map.data.filter((value) => value === 7).length, 0);
  tools.select.cancel();
  drag(tools.select, { x: 0, y: 0 }, { x: 20, y: 20 });
  map.span(3, 3, 4, 8);
  tools.select.down({ x: 3, y: 3 }, full);
  tools.select.move({ x: 10, y: 10 }, full);
  tools.select.cancel();
  assert.deepEqual([at(3, 3), at(10, 10)], [8, 1], "given up");
});

test("everything selected leaves itself behind", () => {
  const map = new LabelMap(32, 32);
  const moved = Selection.area(map, { x: 3, y: 3 }).lift()(4, 4);
  assert.equal(moved.mask.filter(Boolean).length, 28 * 28);
  assert.ok(map.data.every((value) => value === 0));
});

test("a finger that turns out to be the first of two leaves nothing", () => {
  const map = new LabelMap(64, 64);
  for (const name of ["brush", "line", "fill", "mountain", "horizon", "select", "pick"]) {
    const { tools, log } = bench(map);
    tools[name].down({ x: 20, y: 20 }, full);
    tools[name].move({ x: 25, y: 25 }, full);
    tools[name].cancel();
    assert.ok(map.data.every((value) => value === 0), name);
    assert.deepEqual([log.done, log.picked], [0, null], name);
  }
  const { tools } = bench(map);
  for (const corner of [{ x: 5, y: 5 }, { x: 50, y: 5 }, { x: 50, y: 50 }]) drag(tools.polygon, corner);
  tools.polygon.down({ x: 20, y: 20 }, full);
  tools.polygon.abandon();
  tools.polygon.finish();
  assert.equal(map.data[10 * 64 + 40], 5, "the corners before it are kept");
});

test("a horizon divides the map, a mountain has its peak where the drag ended", () => {
  const map = new LabelMap(120, 80);
  horizon(map, { x: 0, y: 0 }, { x: 10, y: 40 }, 7, true, 2);
  assert.deepEqual([map.data[39 * 120 + 60], map.data[40 * 120 + 60], map.data[79 * 120]], [0, 2, 2]);
  horizon(map, { x: 0, y: 0 }, { x: 10, y: 40 }, 7, false, 3);
  const tops = Array.from({ length: 120 }, (_, x) => [...Array(80).keys()].find((y) => map.data[y * 120 + x] === 3));
  assert.ok(tops.every((y) => Math.abs(y - 40) <= 2) && new Set(tops).size > 1);
  mountain(map, { x: 20, y: 60 }, { x: 100, y: 20 }, 3, true, 4);
  assert.deepEqual([map.data[21 * 120 + 60], map.data[60 * 120 + 60], map.data[61 * 120 + 60], map.data[30 * 120 + 22]], [4, 4, 3, 0]);
  const other = new LabelMap(120, 80);
  mountain(other, { x: 20, y: 60 }, { x: 100, y: 20 }, 3, false, 4);
  const same = new LabelMap(120, 80);
  mountain(same, { x: 20, y: 60 }, { x: 100, y: 20 }, 3, false, 4);
  assert.deepEqual(other.data, same.data, "the same seed, the same mountain");
});

test("a canvas keeps what is drawn when its shape changes", () => {
  assert.deepEqual([sidesOf(1.5, 512), sidesOf(16 / 9, 1024), sidesOf(2 / 3, 512), sidesOf(1, 512)], [[512, 341], [1024, 576], [341, 512], [512, 512]]);
  const map = { width: 4, height: 2, data: Uint8Array.of(0, 1, 2, 3, 4, 5, 6, 7) };
  const twice = stretch(map, 8, 4);
  assert.deepEqual([...twice.data.subarray(0, 8)], [0, 0, 1, 1, 2, 2, 3, 3]);
  assert.deepEqual(stretch(twice, 4, 2), map);
});
