// Streams, tokens, seeds, live requests, links and charts.
import assert from "node:assert/strict";
import { test } from "node:test";

import { FIELDS, defaults } from "../../studio/lab/config.js";
import { short, ticks } from "../../studio/lab/chart.js";
import { Course, MAX_POINTS } from "../../studio/lab/history.js";
import { fromQuery, snapCoordinate, toQuery } from "../../studio/lab/link.js";
import { Live } from "../../studio/landscape/live.js";
import { MAX_SEED, parseSeed } from "../../studio/seed.js";
import { EventParser } from "../../studio/sse.js";
import { align, alignEnd } from "../../studio/text/align.js";
import { largest, meanOf, neighbours } from "../../studio/text/attention.js";
import { parseStops } from "../../studio/text/form.js";
import { percent, visible } from "../../studio/text/inspector.js";

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

test("events are found however the stream is cut", () => {
  const stream = ': still here\n\ndata: {"a":1}\n\ndata: one\ndata: two\r\n\r\ndata: [DONE]\n\n';
  for (const size of [1, 2, 5, 1000]) {
    const parser = new EventParser();
    const found = [];
    for (let i = 0; i < stream.length; i += size) found.push(...parser.push(stream.slice(i, i + size)));
    assert.deepEqual(found, ['{"a":1}', "one\ntwo", "[DONE]"]);
  }
});

test("tokens are laid along the text", () => {
  assert.deepEqual(align("hello you", ["hel", "lo", " you"]).map((one) => [one.text, one.tokens]), [["hel", [0]], ["lo", [1]], [" you", [2]]]);
  const segments = align("a é b", ["a", " ", "\ufffd", "\ufffd", " b"]);
  assert.deepEqual(segments.map((one) => [one.text, one.tokens]), [["a", [0]], [" ", [1]], ["é", [2, 3]], [" b", [4]]]);
});

test("segments are always the whole text", () => {
  for (const [text, tokens] of [["abc", []], ["abc", ["ab", "cd"]], ["abc", ["x", "y", "z"]], ["", ["a"]], ["日本", ["\ufffd", "\ufffd本"]]]) {
    assert.equal(align(text, tokens).map((one) => one.text).join(""), text);
  }
});

test("the end of a prompt is laid out though its beginning has no tokens", () => {
  const laid = (...given) => alignEnd(...given).map((one) => [one.text, one.tokens]);
  assert.deepEqual(laid("long ago: hello you", ["hel", "lo", " you"]), [["long ago: ", []], ["hel", [0]], ["lo", [1]], [" you", [2]]]);
  assert.deepEqual(laid("é a", ["\ufffd", "\ufffd", " ", "a"]), [["é", [0, 1]], [" ", [2]], ["a", [3]]]);
  assert.deepEqual(laid("😀a", ["a"]), [["😀", []], ["a", [0]]]);
});

test("attention: means over layers and heads, the largest, the neighbours to ask for", () => {
  const weights = [[[1, 0], [0.5, 0.5]], [[0, 1], [0.25, 0.75]]];
  assert.deepEqual(meanOf(weights, null, null), [0.4375, 0.5625]);
  assert.deepEqual(meanOf(weights, 0, null), [0.75, 0.25]);
  assert.deepEqual(meanOf(weights, null, 1), [0.375, 0.625]);
  assert.deepEqual(meanOf(weights, 1, 0), [0, 1]);
  assert.deepEqual(largest([0.1, 0.6, 0.3], 2), [1, 2]);
  assert.deepEqual(neighbours(0, 100, 4), [0, 1, 2, 3]);
  assert.deepEqual(neighbours(50, 100, 4), [48, 49, 50, 51]);
  assert.deepEqual(neighbours(99, 100, 4), [96, 97, 98, 99]);
  assert.deepEqual(neighbours(2, 3, 8), [0, 1, 2]);
  assert.deepEqual(neighbours(7, 100, 1), [7]);
});

test("stop strings, seeds and shares", () => {
  assert.deepEqual(parseStops("\\n\\n\nROMEO:\n\nback\\\\slash"), ["\n\n", "ROMEO:", "back\\slash"]);
  assert.equal(parseSeed(String(MAX_SEED)), 2 ** 53 - 1);
  assert.equal(parseSeed(" 12 "), 12);
  for (const wrong of ["", "-1", "1.5", "x", "9007199254740992", "1e3"]) assert.equal(parseSeed(wrong), null);
  assert.deepEqual([percent(0.456), percent(0.0123), percent(0.00001)], ["46 %", "1.2 %", "< 0.1 %"]);
  assert.equal(visible(" a\n"), "␣a↵");
});

function recorder(milliseconds) {
  const log = { sent: 0, inFlight: 0, most: 0, aborted: 0, shown: [] };
  const live = new Live({
    delay: 20,
    send: async (signal) => {
      const number = ++log.sent;
      log.most = Math.max(log.most, ++log.inFlight);
      signal.addEventListener("abort", () => (log.inFlight--, log.aborted++));
      await sleep(milliseconds);
      if (signal.aborted) throw new DOMException("aborted", "AbortError");
      log.inFlight--;
      return number;
    },
    show: (number) => log.shown.push(number),
    fail: (error) => assert.fail(error),
  });
  return { live, log };
}

test("while drawing, requests are few, one at a time, and the last state is asked for", async () => {
  const { live, log } = recorder(30);
  for (let i = 0; i < 40; i++) {
    live.changed();
    await sleep(5);
  }
  await sleep(150);
  assert.equal(log.most, 1);
  assert.ok(log.sent >= 3 && log.sent <= 10, `${log.sent} requests`);
  assert.equal(log.shown.at(-1), log.sent);
});

test("an answer that is out of date is dropped", async () => {
  const { live, log } = recorder(30);
  live.settle();
  await sleep(5);
  live.settle();
  await sleep(80);
  assert.deepEqual([log.shown, log.aborted], [[2], 1]);
  live.settle();
  live.stop();
  await sleep(60);
  assert.deepEqual(log.shown, [2]);
});

test("while the server is away it is asked again, until it answers; what is drawn meanwhile waits for that", async () => {
  const [tries, shown] = [[], []];
  let isAway = true;
  const live = new Live({
    delay: 5,
    send: async () => {
      if (isAway) throw new Error("away");
      return "here";
    },
    show: (answer, _, isSettled) => shown.push([answer, isSettled]),
    fail: (_, count) => (tries.push(count), 20),
  });
  live.settle();
  await sleep(70);
  assert.ok(tries.length >= 2 && tries.length <= 4, `${tries}`);
  assert.deepEqual(tries, tries.map((_, i) => i + 1));
  isAway = false;
  live.changed();
  await sleep(60);
  assert.deepEqual(shown, [["here", false]]);
  isAway = true;
  live.settle();
  await sleep(5);
  assert.equal(tries.at(-1), 1, "counted anew");
  isAway = false;
  live.retry();
  await sleep(5);
  assert.deepEqual(shown.at(-1), ["here", true]);
});

test("a link carries every setting and every drawn point", () => {
  assert.equal(toQuery(defaults(), []), "");
  const values = { ...defaults(), data: "drawn", loss: "wasserstein_gp", penalty: 2.5, half_life: null, noise_dimensions: 1, seed: MAX_SEED };
  const points = Array.from({ length: 50 }, (_, i) => [snapCoordinate(Math.cos(i)), snapCoordinate(Math.sin(i))]);
  const read = fromQuery(toQuery(values, points));
  assert.deepEqual(read.values, values);
  assert.deepEqual(read.points, points);
  for (const [x, y] of points) assert.ok(Math.abs(x) <= 1 && Math.abs(y) <= 1);
});

test("what a link has wrong is passed over", () => {
  const { values, points } = fromQuery("loss=none&generator_layers=99&generator_rate=x&batch_size=8.5&beta1=&points=%%%&colour=red");
  assert.deepEqual(values, defaults());
  assert.deepEqual(points, []);
  assert.equal(new Set(FIELDS.map((field) => field.name)).size, FIELDS.length);
});

test("a long course is thinned out evenly, and a step that stands still is not counted twice", () => {
  const course = new Course(["loss"]);
  for (let step = 0; step < 10_000; step++) {
    course.add(step, { loss: step });
    course.add(step, { loss: -1 });
  }
  assert.ok(course.steps.length <= MAX_POINTS && course.steps.length > MAX_POINTS / 3);
  assert.equal(course.steps[0], 0);
  assert.deepEqual(course.values.loss, course.steps);
  const gaps = new Set(course.steps.slice(1).map((step, i) => step - course.steps[i]));
  assert.equal(gaps.size, 1);
});

test("axes have round values", () => {
  assert.deepEqual(ticks(0, 1, false), [0, 0.5, 1]);
  assert.deepEqual(ticks(0.004, 2, true), [0.01, 0.1, 1]);
  assert.deepEqual(ticks(0.058, 0.63, true), [0.1, 0.2, 0.5]);
  assert.deepEqual([short(0), short(12_345), short(0.0123), short(250)], ["0", "12k", "0.012", "250"]);
});
