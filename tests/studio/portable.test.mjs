// Drawings as plain data, in links and files that anybody may have written; pictures read as sketches.
import assert from "node:assert/strict";
import { test } from "node:test";
import { deflateSync, inflateSync } from "node:zlib";

import { ColorTable } from "../../studio/landscape/color.js";
import { LabelMap } from "../../studio/landscape/label_map.js";
import { MAX_CELLS, cleanName, fromLink, pack, toAscii, toLink, unpack } from "../../studio/landscape/portable.js";
import { readSketch } from "../../studio/landscape/read_sketch.js";

const CLASSES = ["sky", "sea", "tree"];
const map = new LabelMap(48, 32);
for (let i = 0; i < map.data.length; i++) map.data[i] = i % 3;
const content = { name: "Brünn <b>", picture: map.picture, style: { seed: 7, classSeeds: { sea: 2 ** 53 - 1 } } };
const packed = await pack(content);

test("a drawing survives the way through JSON and through a link", async () => {
  assert.deepEqual(await unpack(JSON.parse(JSON.stringify(packed)), CLASSES), content);
  assert.deepEqual(inflateSync(Buffer.from(packed.labels, "base64")), Buffer.from(map.data), "plain zlib, for everyone");
  const link = await toLink(content);
  assert.match(link, /^#landscape\?[\w=&%.*+-]+$/);
  assert.deepEqual(await fromLink(link.split("?")[1], CLASSES), content);
  assert.equal(await fromLink("seed=3", CLASSES), null);
});

test("what a text carries is ASCII", () => {
  const text = toAscii({ name: "Brünn 🏔" });
  assert.match(text, /^[\x20-\x7e]+$/);
  assert.deepEqual(JSON.parse(text), { name: "Brünn 🏔" });
});

const deflated = (data) => deflateSync(data).toString("base64");

test("whatever is wrong with what others wrote is said, and nothing of it is taken", async () => {
  const wrong = {
    "no object": [null, "text", 3, []],
    size: [{ width: 0 }, { width: 8.5 }, { width: "48" }, { height: 1e9, width: 1e9 }, { width: 400, height: 32 }, { width: 2048, height: 1024 }],
    labels: [{ labels: undefined }, { labels: "%%%" }, { labels: "AAAA" }, { labels: {} }, { labels: deflated(map.data.subarray(1)) }],
    class: [{ labels: deflated(new Uint8Array(48 * 32).fill(3)) }, { labels: deflated(new Uint8Array(48 * 32).fill(255)) }],
    seed: [{ seed: -1 }, { seed: 1.5 }, { seed: 2 ** 53 }, { seed: "x" }, { seed: undefined }, { class_seeds: { sky: -1 } }],
  };
  for (const [kind, cases] of Object.entries(wrong)) {
    for (const one of cases) {
      const given = kind === "no object" ? one : { ...packed, ...one };
      await assert.rejects(unpack(given, CLASSES), /wrong|damaged|large|long|lacks|no drawing/, `${kind}: ${JSON.stringify(one)}`);
    }
  }
});

test("a bomb is not inflated beyond what its size says", async () => {
  const bomb = deflated(new Uint8Array(64 << 20)); // 64 MiB in 64 kB
  const before = process.memoryUsage().arrayBuffers;
  await assert.rejects(unpack({ ...packed, labels: bomb }, CLASSES), /damaged/);
  await assert.rejects(unpack({ ...packed, width: 1024, height: 1024, labels: bomb }, CLASSES), /damaged/);
  assert.ok(process.memoryUsage().arrayBuffers - before < 32 << 20);
  assert.equal(MAX_CELLS, 1 << 20);
});

test("unknown classes' seeds and the rest of an object are passed over; names are short and plain", async () => {
  const { style, ...rest } = await unpack({ ...packed, class_seeds: { moon: 3, tree: 4 }, __proto__: { x: 1 }, more: {} }, CLASSES);
  assert.deepEqual(style, { seed: 7, classSeeds: { tree: 4 } });
  assert.deepEqual(Object.keys(rest), ["name", "picture"]);
  assert.equal(cleanName(`  a\n\tb ${"c".repeat(200)}`).length, 80);
  assert.equal((await unpack({ ...packed, name: 5 }, CLASSES)).name, "");
});

const table = new ColorTable([["#02acff"], ["#003ac3"], ["#1cae41"]]);
const SKY = [2, 172, 255];
const SEA = [0, 58, 195];
const GRASS = [28, 174, 65];
const WHITE = [255, 255, 255];

/** @param {(x: number, y: number) => number[]} at */
function pixels(width, height, at) {
  const rgba = new Uint8ClampedArray(4 * width * height);
  for (let i = 0; i < width * height; i++) rgba.set([...at(i % width, Math.floor(i / width)), 255].slice(0, 4), 4 * i);
  return readSketch(rgba, width, height, table);
}

test("pixels of no class take that of what is near, and their share is told", () => {
  const { data, unmatched, isExact, isPhoto } = pixels(40, 20, (x, y) => (x > 12 && x < 19 && y > 5 && y < 11 ? WHITE : x < 16 ? SKY : SEA));
  assert.equal(unmatched, 30 / 800);
  assert.deepEqual([data[8 * 40 + 13], data[8 * 40 + 18], isExact, isPhoto], [0, 1, false, false]);
});

test("paper around a drawing is not drawn yet; within it, it is in no colour of the palette", () => {
  const disc = (x, y) => Math.hypot(x - 30, y - 30) < 15;
  const island = pixels(60, 60, (x, y) => (disc(x, y) ? GRASS : WHITE));
  assert.deepEqual([island.unmatched, island.isExact, island.isPhoto, island.data[0], island.data[59 * 60 + 59]], [0, true, false, 2, 2]);
  const pink = pixels(60, 60, (x, y) => (disc(x, y) ? GRASS : [255, 0, 255]));
  assert.equal(pink.unmatched, 0, "of any single colour");
  const hole = pixels(60, 60, (x, y) => (disc(x, y) ? WHITE : GRASS));
  assert.ok(hole.unmatched > 0.15);
  assert.equal(pixels(60, 60, () => WHITE).data.length, 0);
});

test("a blurred edge takes no third class", () => {
  const mix = (one, other, share) => one.map((value, i) => Math.round(value * (1 - share) + other[i] * share));
  for (const [one, other] of [[SKY, GRASS], [SEA, GRASS], [SKY, SEA]]) {
    const { data } = pixels(60, 30, (x) => mix(one, other, Math.min(1, Math.max(0, (x - 25) / 10))));
    assert.deepEqual([...new Set(data)].sort(), [SKY, SEA, GRASS].flatMap((color, id) => (color === one || color === other ? [id] : [])));
  }
});

test("a photo, and a map in others' colours, are told from a sketch", () => {
  let seed = 1;
  const noise = () => ((seed = (seed * 48271) % 2147483647) % 60);
  assert.equal(pixels(80, 60, (x, y) => [90 + noise(), 60 + y + noise(), 40 + x + noise()]).isPhoto, true);
  assert.equal(pixels(80, 60, (x) => (x < 30 ? [120, 120, 120] : x < 60 ? [4, 200, 3] : [80, 50, 50])).isPhoto, false);
  assert.equal(pixels(80, 60, (x, y) => [SKY, SEA, GRASS][y % 3].map((value) => value + (x % 4) - 2)).isPhoto, false, "as JPEG leaves it");
});
