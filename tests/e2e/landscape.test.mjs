// The landscape studio, used with the mouse, the keyboard and files.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { DESKTOP, PHONE, launch, notInFirefox, open, textOf, until } from "./browser.mjs";
import { at, choose, chooseClass, drag, expectColor, firstResult, halves, newResult, paletteColors, source } from "./studio.mjs";

let browser;
let colors;
before(async () => {
  browser = await launch();
  colors = await paletteColors();
});
after(() => browser.close());

test("it starts as sky over sea, and the landscape is there without a click", async () => {
  const { page, close } = await open(browser, "landscape");
  await firstResult(page);
  await expectColor(page, 0.5, 0.2, colors.sky);
  await expectColor(page, 0.5, 0.8, colors.sea);
  assert.ok(await page.evaluate(() => document.getElementById("result").naturalWidth > 0));
  assert.ok(await page.locator("#undo").isDisabled());
  await close();
});

test("drawing with the mouse: the live result appears; undo and redo", async () => {
  const { page, close } = await open(browser, "landscape");
  await firstResult(page);
  const first = await source(page);
  await chooseClass(page, "grass");
  await drag(page, [0.2, 0.3], [0.8, 0.3]);
  await expectColor(page, 0.5, 0.3, colors.grass);
  await newResult(page, first);
  await chooseClass(page, "tree");
  await drag(page, [0.2, 0.7], [0.8, 0.7]);
  await expectColor(page, 0.5, 0.7, colors.tree);
  await page.keyboard.press("Control+z");
  await expectColor(page, 0.5, 0.7, colors.sea);
  await expectColor(page, 0.5, 0.3, colors.grass);
  await page.click("#undo");
  await expectColor(page, 0.5, 0.3, colors.sky);
  await page.keyboard.press("Control+Shift+z");
  await page.keyboard.press("Control+y");
  await expectColor(page, 0.5, 0.7, colors.tree);
  await close();
});

test("the result follows during a stroke, one request at a time", async () => {
  const { page, close } = await open(browser, "landscape");
  await firstResult(page);
  let [inFlight, most, asked] = [0, 0, 0];
  const isOurs = (request) => request.url().includes("/generate/landscape");
  page.on("request", (request) => isOurs(request) && (asked++, (most = Math.max(most, ++inFlight))));
  page.on("requestfinished", (request) => isOurs(request) && inFlight--);
  page.on("requestfailed", (request) => isOurs(request) && inFlight--);
  await page.mouse.move(...(await at(page, 0.1, 0.2)));
  await page.mouse.down();
  for (let i = 0; i < 30; i++) {
    await page.mouse.move(...(await at(page, 0.1 + 0.025 * i, 0.2 + 0.02 * i)));
    await page.waitForTimeout(30);
  }
  assert.ok(asked >= 2, `${asked} requests while drawing`);
  assert.equal(most, 1);
  await page.mouse.up();
  await close();
});

test("outlines are natural unless they are to be kept, and the choice is", async () => {
  const { page, close } = await open(browser, "landscape");
  const asked = () => page.waitForRequest((one) => one.url().includes("/generate/landscape"));
  await firstResult(page);
  let request = asked();
  await page.check("#drawn");
  assert.match((await request).url(), /outlines=drawn/);
  await page.evaluate(() => {
    const { append } = FormData.prototype;
    window.sent = [];
    FormData.prototype.append = function (...part) {
      window.sent.push(part.join("="));
      append.apply(this, part);
    };
  });
  request = asked();
  await page.click("#vary");
  await request;
  assert.ok((await page.evaluate(() => window.sent)).includes("outlines=drawn"));
  request = asked();
  await page.reload();
  assert.match((await request).url(), /outlines=drawn/);
  await firstResult(page);
  request = asked();
  await page.uncheck("#drawn");
  assert.doesNotMatch((await request).url(), /outlines/);
  await close();
});

test("line, polygon, fill, eyedropper and shapes", async () => {
  const { page, close } = await open(browser, "landscape");
  await firstResult(page);
  await page.keyboard.press("l");
  await chooseClass(page, "road");
  await drag(page, [0.1, 0.1], [0.9, 0.1]);
  await expectColor(page, 0.5, 0.1, colors.road);
  await page.keyboard.press("p");
  await chooseClass(page, "mountain");
  for (const corner of [[0.3, 0.6], [0.7, 0.6], [0.5, 0.9]]) await page.mouse.click(...(await at(page, ...corner)));
  await page.keyboard.press("Enter");
  await expectColor(page, 0.5, 0.7, colors.mountain);
  await expectColor(page, 0.32, 0.85, colors.sea);
  await page.keyboard.press("g");
  await chooseClass(page, "sand");
  await page.mouse.click(...(await at(page, 0.05, 0.95)));
  await expectColor(page, 0.95, 0.55, colors.sand);
  await expectColor(page, 0.5, 0.7, colors.mountain);
  await page.keyboard.press("i");
  await page.mouse.click(...(await at(page, 0.5, 0.7)));
  await until(page, "restyle-class", (text) => text.toLowerCase() === "mountain");
  await choose(page, "shape", "square");
  await page.mouse.click(...(await at(page, 0.2, 0.3)));
  await expectColor(page, 0.2 + 15 / 512, 0.3 + 15 / 512, colors.mountain); // a round one has no corner there
  await close();
});

test("the keyboard alone draws", async () => {
  const { page, close } = await open(browser, "landscape");
  await firstResult(page);
  await chooseClass(page, "snow");
  await page.focus("#sketch-overlay");
  for (let i = 0; i < 8; i++) await page.keyboard.press("ArrowUp");
  await page.keyboard.press(" ");
  await expectColor(page, 0.5, 0.5 - 64 / 512, colors.snow);
  await close();
});

test("a finger draws on a phone", notInFirefox, async () => {
  const { page, close } = await open(browser, "landscape", { device: PHONE });
  await firstResult(page);
  await chooseClass(page, "rock");
  await page.locator("#sketch-overlay").scrollIntoViewIfNeeded();
  await page.touchscreen.tap(...(await at(page, 0.5, 0.4)));
  await expectColor(page, 0.5, 0.4, colors.rock);
  assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), "nothing sticks out");
  await close();
});

test("seeds: dice, a class of its own, four variations to choose from", async () => {
  const { page, close } = await open(browser, "landscape");
  await firstResult(page);
  await page.fill("#seed", "1000");
  await page.keyboard.press("Tab");
  const restyled = page.waitForRequest((request) => request.url().includes("class_seeds"));
  await page.click("#restyle");
  assert.match(decodeURIComponent((await restyled).url()), /seed=1000&class_seeds=\{"(sky|sea)":\d+\}/); // not the class that isn't in it
  assert.equal(await page.locator("#class-seeds li").count(), 1);
  await page.click("#vary");
  await page.waitForSelector("#variations li:nth-child(4) img");
  const seeds = await page.locator("#variations .thumb span").allTextContents();
  assert.deepEqual(seeds, ["1001", "1002", "1003", "1004"]);
  const old = await source(page);
  await page.click("#variations li:nth-child(3) button");
  assert.equal(await page.inputValue("#seed"), "1003");
  await newResult(page, old);
  await page.click("#roll");
  assert.notEqual(await page.inputValue("#seed"), "1003");
  await close();
});

test("an uploaded sketch is drawn and its unmatched colours are told; a photo becomes a sketch", async () => {
  const { page, close } = await open(browser, "landscape", { expected: ["422"] });
  await firstResult(page);
  const file = (buffer) => ({ name: "sketch.png", mimeType: "image/png", buffer });
  const old = await source(page);
  await page.setInputFiles("#upload-sketch", file(await halves(page, "#ff00ff", colors.grass, 0.75)));
  await newResult(page, old);
  await expectColor(page, 0.9, 0.5, colors.grass);
  await expectColor(page, 0.05, 0.5, colors.grass);
  await page.click("#undo");
  await expectColor(page, 0.9, 0.1, colors.sky);
  await page.setInputFiles("#upload-sketch", file(await striped(page, colors.grass, "#ff00ff", "#ffffff")));
  await until(page, "unmatched", (text) => text.startsWith("20 %"));
  await page.setInputFiles("#upload-sketch", file(await striped(page, "#ff00ff", "#ffffff", "#ff00ff")));
  await page.waitForSelector(".notice-error");
  assert.match(await page.locator(".notice-error").textContent(), /palette/);
  await expectColor(page, 0.2, 0.9, colors.grass);
  await page.setInputFiles("#upload-photo", file(await halves(page, "#445566", "#99aabb", 0.5)));
  await expectColor(page, 0.2, 0.9, colors.sky); // the fake segmenter sees sky everywhere
  await close();
});

/** A PNG of one colour with a disc of another, and in that a smaller one of a third. */
const striped = async (page, outer, middle, inner) =>
  Buffer.from(
    await page.evaluate((colors) => {
      const canvas = document.createElement("canvas");
      canvas.width = canvas.height = 200;
      const context = canvas.getContext("2d");
      for (const [i, color] of colors.entries()) {
        context.fillStyle = color;
        context.beginPath();
        context.arc(100, 100, [200, 50, 20][i], 0, 7);
        context.fill();
      }
      return canvas.toDataURL("image/png").split(",")[1];
    }, [outer, middle, inner]),
    "base64",
  );

test("without a segmenter, photos are off, and it says why", async () => {
  const { page, close } = await open(browser, "landscape");
  await page.route("**/models", async (route) => {
    const answer = await route.fetch();
    const { models } = await answer.json();
    await route.fulfill({ response: answer, json: { models: models.filter((one) => one.kind !== "segmenter") } });
  });
  await page.reload();
  await page.waitForSelector("#photo-note:not([hidden])");
  assert.ok(await page.locator("#upload-photo").isDisabled());
  await close();
});

test("sketch, drawing and landscape can be saved", notInFirefox, async () => {
  const { page, close } = await open(browser, "landscape");
  await firstResult(page);
  for (const [button, name] of [["save-sketch", /^sketch\.png$/], ["export", /^drawing\.prospero\.png$/], ["save-result", /^landscape-\d+\.png$/]]) {
    const [download] = await Promise.all([page.waitForEvent("download"), page.click(`#${button}`)]);
    assert.match(download.suggestedFilename(), name);
    const bytes = readFileSync(await download.path());
    assert.equal(bytes.subarray(1, 4).toString(), "PNG");
    if (button === "save-sketch") assert.equal(bytes[25], 3, "indexed colours");
    assert.equal(bytes.includes("tEXtProspero"), button === "export", "a sketch does not leak by itself");
  }
  await close();
});

test("a busy server is tried again, and the page says so", async () => {
  const { page, close } = await open(browser, "landscape", { expected: ["429", "503"] });
  await firstResult(page);
  let refused = 0;
  await page.route("**/generate/landscape?*", (route) =>
    refused++ < 2
      ? route.fulfill({ status: refused === 1 ? 429 : 503, headers: { "Retry-After": "1" }, json: { error: { type: "overloaded", message: "the queue is full", field: null } } })
      : route.continue(),
  );
  const old = await source(page);
  await page.click("#roll");
  assert.match(await until(page, "result-problem", (text) => text !== ""), /busy/);
  await newResult(page, old);
  assert.ok(await page.locator("#result-problem").isHidden());
  assert.equal(refused, 3);
  await close();
});

test("help opens with a question mark, and single keys can be switched off", async () => {
  const { page, close } = await open(browser, "landscape", { device: DESKTOP });
  await firstResult(page);
  await page.keyboard.press("?");
  assert.ok(await page.locator("#help-dialog").isVisible());
  await page.locator("#single-keys").uncheck();
  await page.keyboard.press("Escape");
  const seed = await page.inputValue("#seed");
  await page.keyboard.press("r");
  assert.equal(await page.inputValue("#seed"), seed);
  await close();
});

test("a server with keys: the page asks for one, and goes on with it", async () => {
  const protect = (page) =>
    page.route(/(palette|models|generate)/, async (route) => {
      const isPage = route.request().url().includes("/studio/");
      if (isPage || (await route.request().headerValue("x-api-key")) === "secret") return route.continue();
      return route.fulfill({ status: 401, json: { error: { type: "unauthorized", message: "missing or unknown API key", field: null } } });
    });
  const opened = open(browser, "landscape", { expected: ["401"], watch: (page) => (protect(page), answer(page)) });
  async function answer(page) {
    await page.waitForSelector("#key-dialog[open]");
    await page.fill("#key-input", "secret");
    await page.click("#key-dialog .primary");
  }
  const { page, close } = await opened;
  await firstResult(page);
  await close();
});
