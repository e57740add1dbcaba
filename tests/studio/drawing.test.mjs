// The sketch's arithmetic: brushes, areas, undo, colours, PNG.
import assert from "node:assert/strict";
import { test } from "node:test";
import { inflateSync } from "node:zlib";

import { halfWidths, stroke } from "../../studio/landscape/brush.js";
import { UNMATCHED, snapPixels, snapper, toLab } from "../../studio/landscape/color.js";
import { Drawing } from "../../studio/landscape/drawing.js";
import { EXAMPLES, drawExample } from "../../studio/landscape/examples.js";
import { fillPolygon, floodFill } from "../../studio/landscape/fill.js";
import { History, decode, encode } from "../../studio/landscape/history.js";
import { encodeIndexed } from "../../studio/landscape/png.js";
import { straighten } from "../../studio/landscape/tools.js";

const count = (drawing, value) => drawing.data.reduce((sum, one) => sum + Number(one === value), 0);

test("brushes have their shapes", () => {
  assert.deepEqual([...halfWidths("square", 4)], [2, 2, 2, 2, 2]);
  assert.deepEqual([...halfWidths("diamond", 4)], [0, 1, 2, 1, 0]);
  assert.deepEqual([...halfWidths("round", 6)], [1, 2, 3, 3, 3, 2, 1]);
});

test("a stroke has no gaps and is cut off at the edges", () => {
  const drawing = new Drawing(64);
  stroke(drawing, { x: -10, y: 5 }, { x: 80, y: 60 }, halfWidths("round", 1), 3);
  for (let x = 0; x < 64; x++) assert.ok([...Array(64).keys()].some((y) => drawing.data[y * 64 + x] === 3), `column ${x}`);
});

test("undo and redo bring back every pixel, over many strokes", () => {
  const drawing = new Drawing(128);
  const states = [drawing.data.slice()];
  for (let i = 1; i <= 20; i++) {
    drawing.begin();
    stroke(drawing, { x: (i * 37) % 128, y: (i * 53) % 128 }, { x: (i * 71) % 128, y: (i * 29) % 128 }, halfWidths("round", 9), i);
    assert.equal(drawing.commit(), true);
    states.push(drawing.data.slice());
  }
  for (let i = 19; i >= 0; i--) {
    assert.equal(drawing.undo(), true);
    assert.deepEqual(drawing.data, states[i]);
  }
  assert.equal(drawing.undo(), false);
  for (let i = 1; i <= 20; i++) {
    drawing.redo();
    assert.deepEqual(drawing.data, states[i]);
  }
});

test("a new stroke ends what could be redone; one that changes nothing is no step", () => {
  const drawing = new Drawing(64);
  drawing.begin();
  drawing.span(3, 0, 9, 1);
  drawing.commit();
  drawing.undo();
  drawing.begin();
  drawing.span(3, 0, 9, 0);
  assert.equal(drawing.commit(), false);
  assert.ok(drawing.history.canRedo);
  drawing.begin();
  drawing.span(4, 0, 9, 2);
  drawing.commit();
  assert.ok(!drawing.history.canRedo);
});

test("a cancelled stroke leaves nothing", () => {
  const drawing = new Drawing(64);
  drawing.begin();
  stroke(drawing, { x: 0, y: 0 }, { x: 63, y: 63 }, halfWidths("square", 20), 5);
  drawing.cancel();
  assert.equal(count(drawing, 5), 0);
  assert.ok(!drawing.history.canUndo);
});

test("history is bounded", () => {
  const history = new History(20_000);
  const noisy = () => new Map([[0, Uint8Array.from({ length: 1024 }, (_, i) => i % 7)]]);
  for (let i = 0; i < 100; i++) history.push(noisy());
  assert.ok(history.bytes <= 20_000 && history.canUndo);
});

test("run lengths survive coding", () => {
  for (const content of [new Uint8Array(1024), Uint8Array.from({ length: 1024 }, (_, i) => i % 3), Uint8Array.of(7)]) {
    assert.deepEqual(decode(encode(content)), content);
  }
});

test("flood fill stops at other classes and reaches round corners", () => {
  const drawing = new Drawing(64);
  for (let y = 10; y < 50; y++) drawing.span(y, 10, 10, 1);
  for (let x = 10; x < 50; x++) drawing.span(10, x, x, 1);
  for (let y = 10; y < 50; y++) drawing.span(y, 50, 50, 1);
  floodFill(drawing, 30, 30, 2);
  assert.equal(drawing.data[5 * 64 + 5], 2); // open below
  drawing.data.fill(0);
  for (let y = 10; y <= 50; y++) drawing.span(y, 10, y === 10 || y === 50 ? 50 : 10, 1);
  for (let y = 10; y <= 50; y++) drawing.span(y, 50, 50, 1);
  floodFill(drawing, 30, 30, 2);
  assert.equal(count(drawing, 2), 39 * 39);
  floodFill(drawing, 30, 30, 2); // its own class: nothing to do
  assert.equal(count(drawing, 2), 39 * 39);
});

test("a polygon is filled, concave ones by the even-odd rule", () => {
  const drawing = new Drawing(64);
  fillPolygon(drawing, [{ x: 10, y: 10 }, { x: 30, y: 10 }, { x: 30, y: 40 }, { x: 10, y: 40 }], 4);
  assert.equal(count(drawing, 4), 20 * 30);
  const notched = new Drawing(64);
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

test("colours snap to the nearest class, far ones to none, and holes are filled from near", () => {
  const snap = snapper([["#02acff"], ["#003ac3", "#101080"], ["#32c751"]]);
  assert.equal(snap(0x02acff), 0);
  assert.equal(snap(0x101080), 1); // an earlier colour of the same class
  assert.equal(snap(0x0a3cc0), 1);
  assert.equal(snap(0xffffff), UNMATCHED);
  const pixels = new Uint8ClampedArray(4 * 4 * 4);
  for (let i = 0; i < 16; i++) pixels.set(i % 4 < 2 ? [2, 172, 255, 255] : i % 4 === 2 ? [255, 255, 255, 255] : [0, 58, 195, 255], 4 * i);
  const { data, unmatched } = snapPixels(pixels, 4, snap);
  assert.equal(unmatched, 0.25);
  assert.ok(!data.includes(UNMATCHED));
  assert.deepEqual([data[0], data[3]], [0, 1]);
  assert.equal(snapPixels(new Uint8ClampedArray(64), 4, snap).data.length, 0);
});

test("the PNG holds exactly the class ids", async () => {
  const data = Uint8Array.from({ length: 32 * 32 }, (_, i) => (i * 7) % 3);
  const blob = await encodeIndexed(data, 32, ["#010203", "#aabbcc", "#ffffff"]);
  const bytes = Buffer.from(await blob.arrayBuffer());
  assert.equal(bytes.readUInt32BE(16), 32);
  assert.equal(bytes[25], 3); // indexed
  const palette = bytes.indexOf("PLTE") + 4;
  assert.deepEqual([...bytes.subarray(palette, palette + 9)], [1, 2, 3, 0xaa, 0xbb, 0xcc, 255, 255, 255]);
  const at = bytes.indexOf("IDAT");
  const rows = inflateSync(bytes.subarray(at + 4, at + 4 + bytes.readUInt32BE(at - 4)));
  for (let y = 0; y < 32; y++) assert.deepEqual([...rows.subarray(y * 33 + 1, y * 33 + 33)], [...data.subarray(y * 32, y * 32 + 32)]);
});

test("every example is a picture of several classes, the same at every size", () => {
  const ids = new Map(["sky", "mountain", "snow", "rock", "sand", "tree", "plant", "grass", "field", "sea", "river", "road", "building", "lake", "waterfall", "cloud", "earth"].map((name, id) => [name, id]));
  assert.ok(EXAMPLES.length >= 6);
  assert.equal(new Set(EXAMPLES.map((one) => one.name)).size, EXAMPLES.length);
  for (const example of EXAMPLES) {
    const names = new Set();
    for (let i = 0; i < 4096; i++) names.add(example.at((i % 64) / 64, Math.floor(i / 64) / 64));
    for (const name of names) assert.ok(ids.has(name), `${example.name}: ${name}`);
    assert.ok(names.size >= 2 && names.has("sky"), example.name);
    assert.deepEqual(drawExample(example, 64, ids), drawExample(example, 64, ids));
  }
});
