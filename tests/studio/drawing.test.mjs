// The sketch's arithmetic: brushes, areas, undo, colours, PNG.
import assert from "node:assert/strict";
import { test } from "node:test";
import { inflateSync } from "node:zlib";

import { halfWidths, stroke } from "../../studio/landscape/brush.js";
import { ColorTable, HOLE, toLab } from "../../studio/landscape/color.js";
import { Drawing } from "../../studio/landscape/drawing.js";
import { EXAMPLES, drawExample } from "../../studio/landscape/examples.js";
import { fillPolygon, floodFill } from "../../studio/landscape/fill.js";
import { History } from "../../studio/landscape/history.js";
import { LabelMap } from "../../studio/landscape/label_map.js";
import { encodeIndexed, readText } from "../../studio/landscape/png.js";
import { decode, encode } from "../../studio/landscape/runs.js";
import { straighten } from "../../studio/landscape/tools.js";

const count = (map, value) => map.data.reduce((sum, one) => sum + Number(one === value), 0);
const style = { seed: 1, classSeeds: {} };
const blank = (width, height) => new Drawing({ name: "", picture: new LabelMap(width, height).picture, style });

test("brushes have their shapes", () => {
  assert.deepEqual([...halfWidths("square", 4)], [2, 2, 2, 2, 2]);
  assert.deepEqual([...halfWidths("diamond", 4)], [0, 1, 2, 1, 0]);
  assert.deepEqual([...halfWidths("round", 6)], [1, 2, 3, 3, 3, 2, 1]);
});

test("a stroke has no gaps and is cut off at the edges", () => {
  const map = new LabelMap(64, 48);
  stroke(map, { x: -10, y: 5 }, { x: 80, y: 50 }, halfWidths("round", 1), 3);
  for (let x = 0; x < 64; x++) assert.ok([...Array(48).keys()].some((y) => map.data[y * 64 + x] === 3), `column ${x}`);
});

test("undo and redo bring back every pixel, over many strokes, whatever the sides", () => {
  for (const [width, height] of [[128, 128], [100, 61], [33, 65]]) {
    const drawing = blank(width, height);
    const states = [drawing.map.data.slice()];
    for (let i = 1; i <= 20; i++) {
      drawing.map.begin();
      stroke(drawing.map, { x: (i * 37) % width, y: (i * 53) % height }, { x: (i * 71) % width, y: (i * 29) % height }, halfWidths("round", 9), i);
      assert.equal(drawing.commit(), true);
      states.push(drawing.map.data.slice());
    }
    for (let i = 19; i >= 0; i--) {
      assert.equal(drawing.undo(), true);
      assert.deepEqual(drawing.map.data, states[i]);
    }
    assert.equal(drawing.undo(), false);
    for (let i = 1; i <= 20; i++) {
      drawing.redo();
      assert.deepEqual(drawing.map.data, states[i]);
    }
  }
});

test("undo covers seeds and whole pictures, of another size too", () => {
  const drawing = blank(64, 64);
  drawing.map.begin();
  drawing.map.span(3, 0, 9, 1);
  drawing.commit();
  const drawn = drawing.map.data.slice();
  drawing.change({ style: { seed: 2, classSeeds: { sky: 5 } } });
  const other = new LabelMap(80, 40);
  other.data.fill(7);
  drawing.change({ picture: other.picture, style: { seed: 3, classSeeds: {} } });
  assert.deepEqual([drawing.map.width, drawing.map.height, drawing.style.seed], [80, 40, 3]);
  drawing.undo();
  assert.deepEqual([drawing.map.width, drawing.style], [64, { seed: 2, classSeeds: { sky: 5 } }]);
  assert.deepEqual(drawing.map.data, drawn);
  drawing.undo();
  assert.deepEqual(drawing.style, style);
  drawing.undo();
  assert.equal(count(drawing.map, 1), 0);
  for (let i = 0; i < 3; i++) drawing.redo();
  assert.deepEqual(drawing.map.data, other.data);
  assert.equal(drawing.style.seed, 3);
});

test("what is stored of a drawing is undone as before", () => {
  const drawing = blank(64, 64);
  for (const value of [1, 2]) {
    drawing.map.begin();
    drawing.map.span(value, 0, 9, value);
    drawing.commit();
  }
  drawing.undo();
  const { content, storedHistory } = structuredClone({ content: drawing.content, storedHistory: drawing.storedHistory });
  const again = new Drawing(content);
  again.history.restore(storedHistory);
  again.redo();
  assert.equal(count(again.map, 2), 10);
  again.undo();
  again.undo();
  assert.equal(count(again.map, 0), 64 * 64);
});

test("a new stroke ends what could be redone; one that changes nothing is no step", () => {
  const drawing = blank(64, 64);
  const draw = (y, value) => {
    drawing.map.begin();
    drawing.map.span(y, 0, 9, value);
    return drawing.commit();
  };
  draw(3, 1);
  drawing.undo();
  assert.equal(draw(3, 0), false);
  assert.ok(drawing.history.canRedo);
  draw(4, 2);
  assert.ok(!drawing.history.canRedo);
});

test("a cancelled stroke leaves nothing", () => {
  const drawing = blank(64, 64);
  drawing.map.begin();
  stroke(drawing.map, { x: 0, y: 0 }, { x: 63, y: 63 }, halfWidths("square", 20), 5);
  drawing.map.cancel();
  assert.equal(count(drawing.map, 5), 0);
  assert.ok(!drawing.history.canUndo);
});

test("history is bounded, and so is what is stored of it", () => {
  const history = new History(20_000);
  const noisy = () => ({ tiles: new Map([[0, new Uint8Array(1000)]]) });
  for (let i = 0; i < 100; i++) history.push(noisy());
  assert.ok(history.bytes <= 20_000 && history.canUndo);
  assert.equal(history.latest(5000).undo.length, 4);
});

test("run lengths survive coding", () => {
  for (const content of [new Uint8Array(1024), Uint8Array.from({ length: 1024 }, (_, i) => i % 3), Uint8Array.of(7)]) {
    assert.deepEqual(decode(encode(content)), content);
  }
});

test("flood fill stops at other classes and reaches round corners", () => {
  const map = new LabelMap(64, 64);
  for (let y = 10; y < 50; y++) map.span(y, 10, 10, 1);
  for (let x = 10; x < 50; x++) map.span(10, x, x, 1);
  for (let y = 10; y < 50; y++) map.span(y, 50, 50, 1);
  floodFill(map, 30, 30, 2);
  assert.equal(map.data[5 * 64 + 5], 2); // open below
  map.data.fill(0);
  for (let y = 10; y <= 50; y++) map.span(y, 10, y === 10 || y === 50 ? 50 : 10, 1);
  for (let y = 10; y <= 50; y++) map.span(y, 50, 50, 1);
  floodFill(map, 30, 30, 2);
  assert.equal(count(map, 2), 39 * 39);
  floodFill(map, 30, 30, 2); // its own class: nothing to do
  assert.equal(count(map, 2), 39 * 39);
});

test("a polygon is filled, concave ones by the even-odd rule", () => {
  const map = new LabelMap(64, 64);
  fillPolygon(map, [{ x: 10, y: 10 }, { x: 30, y: 10 }, { x: 30, y: 40 }, { x: 10, y: 40 }], 4);
  assert.equal(count(map, 4), 20 * 30);
  const notched = new LabelMap(64, 64);
  fillPolygon(notched, [{ x: 0, y: 0 }, { x: 40, y: 0 }, { x: 40, y: 40 }, { x: 20, y: 10 }, { x: 0, y: 40 }], 4);
  assert.equal(notched.data[35 * 64 + 20], 0);
  assert.equal(notched.data[5 * 64 + 20], 4);
});

test("Shift holds a line to eight directions", () => {
  assert.deepEqual(straighten({ x: 0, y: 0 }, { x: 100, y: 7 }, true), { x: 100, y: 0 });
  assert.deepEqual(straighten({ x: 0, y: 0 }, { x: 60, y: 50 }, true), { x: 55, y: 55 });
  assert.deepEqual(straighten({ x: 0, y: 0 }, { x: 60, y: 50 }, false), { x: 60, y: 50 });
});

test("Lab of known colours", () => {
  const near = (one, other) => one.forEach((value, i) => assert.ok(Math.abs(value - other[i]) < 0.1, `${one} ≠ ${other}`));
  near(toLab(255, 255, 255), [100, 0, 0]);
  near(toLab(255, 0, 0), [53.24, 80.09, 67.2]);
  near(toLab(0, 0, 255), [32.3, 79.19, -107.86]);
});

test("colours match the nearest class, far ones none", () => {
  const table = new ColorTable([["#02acff"], ["#003ac3", "#101080"], ["#32c751"]]);
  const classOf = (rgb) => table.classOf(table.match(rgb));
  assert.equal(classOf(0x02acff), 0);
  assert.equal(classOf(0x101080), 1); // an earlier colour of the same class
  assert.equal(classOf(0x0a3cc0), 1);
  assert.equal(classOf(0xffffff), HOLE);
});

test("the PNG holds exactly the class ids, and the text that it carries", async () => {
  const data = Uint8Array.from({ length: 40 * 32 }, (_, i) => (i * 7) % 3);
  const blob = await encodeIndexed({ width: 40, height: 32, data }, ["#010203", "#aabbcc", "#ffffff"], ["Key", "what it says"]);
  const bytes = Buffer.from(await blob.arrayBuffer());
  assert.deepEqual([bytes.readUInt32BE(16), bytes.readUInt32BE(20)], [40, 32]);
  assert.equal(bytes[25], 3); // indexed
  const palette = bytes.indexOf("PLTE") + 4;
  assert.deepEqual([...bytes.subarray(palette, palette + 9)], [1, 2, 3, 0xaa, 0xbb, 0xcc, 255, 255, 255]);
  const at = bytes.indexOf("IDAT");
  const rows = inflateSync(bytes.subarray(at + 4, at + 4 + bytes.readUInt32BE(at - 4)));
  for (let y = 0; y < 32; y++) assert.deepEqual([...rows.subarray(y * 41 + 1, y * 41 + 41)], [...data.subarray(y * 40, y * 40 + 40)]);
  assert.equal(readText(bytes, "Key"), "what it says");
  assert.equal(readText(bytes, "Ke"), null);
  for (let end = 0; end < bytes.length; end += 5) readText(bytes.subarray(0, end), "Key"); // cut off anywhere
  assert.equal(readText(bytes.subarray(1), "Key"), null);
});

test("every example is a picture of several classes, of the same forms at every size", () => {
  const ids = new Map(["sky", "mountain", "snow", "rock", "sand", "tree", "plant", "grass", "field", "sea", "river", "road", "building", "lake", "waterfall", "cloud", "earth"].map((name, id) => [name, id]));
  const idOf = (name) => {
    assert.ok(ids.has(name), name);
    return ids.get(name);
  };
  assert.ok(EXAMPLES.length >= 6);
  assert.equal(new Set(EXAMPLES.map(([name]) => name)).size, EXAMPLES.length);
  for (const example of EXAMPLES) {
    const map = drawExample(example, 256, 256, idOf);
    const seen = new Set(map.data);
    for (const polygon of example[2].split("\n")) assert.ok(seen.has(ids.get(polygon.split(" ")[0])), polygon);
    assert.ok(seen.size >= 2 && seen.has(ids.get("sky")), example[0]);
    const wide = drawExample(example, 128, 64, idOf);
    const alike = wide.data.reduce((sum, id, at) => sum + Number(id === map.data[(Math.floor(at / 128) * 4 + 2) * 256 + (at % 128) * 2 + 1]), 0);
    assert.ok(alike > 0.9 * wide.data.length, `${example[0]}: ${alike}`);
  }
});
