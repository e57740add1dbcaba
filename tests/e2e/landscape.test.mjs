// The landscape studio, used with the mouse, the keyboard and files.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { DESKTOP, PHONE, URL_, launch, open, textOf, until } from "./browser.mjs";

let browser;
let colors;
before(async () => {
  browser = await launch();
  const { classes } = await (await fetch(`${URL_}/palette`)).json();
  colors = Object.fromEntries(classes.map((one) => [one.name, one.color]));
});
after(() => browser.close());

/** The sketch's exact colour at a share of its width and height. */
const colorAt = (page, x, y) =>
  page.evaluate(([x, y]) => {
    const { data } = document.getElementById("sketch").getContext("2d").getImageData(x * 512, y * 512, 1, 1);
    return `#${[...data.subarray(0, 3)].map((value) => value.toString(16).padStart(2, "0")).join("")}`;
  }, [x, y]);

const at = async (page, x, y) => {
  const box = await page.locator("#sketch-overlay").boundingBox();
  return [box.x + x * box.width, box.y + y * box.height];
};

async function drag(page, ...points) {
  await page.mouse.move(...(await at(page, ...points[0])));
  await page.mouse.down();
  for (const point of points.slice(1)) await page.mouse.move(...(await at(page, ...point)), { steps: 6 });
  await page.mouse.up();
}

const choose = (page, name, value) => page.locator(`label:has(> input[name="${name}"][value="${value}"])`).click();
const chooseClass = async (page, name) => page.locator("#palette label", { hasText: new RegExp(`^${name}$`, "i") }).click();
const firstResult = (page) => until(page, "latency", (text) => text.endsWith(" ms"));
const source = (page) => page.locator("#result").getAttribute("src");

async function newResult(page, old) {
  await page.waitForFunction((old) => document.getElementById("result").getAttribute("src") !== old, old);
  await page.waitForFunction(() => document.getElementById("result").naturalWidth > 0);
}

test("it starts as sky over sea, and the landscape is there without a click", async () => {
  const { page, close } = await open(browser, "landscape");
  await firstResult(page);
  assert.equal(await colorAt(page, 0.5, 0.2), colors.sky);
  assert.equal(await colorAt(page, 0.5, 0.8), colors.sea);
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
  assert.equal(await colorAt(page, 0.5, 0.3), colors.grass);
  await newResult(page, first);
  await chooseClass(page, "tree");
  await drag(page, [0.2, 0.7], [0.8, 0.7]);
  assert.equal(await colorAt(page, 0.5, 0.7), colors.tree);
  await page.keyboard.press("Control+z");
  await page.waitForTimeout(60);
  assert.equal(await colorAt(page, 0.5, 0.7), colors.sea);
  assert.equal(await colorAt(page, 0.5, 0.3), colors.grass);
  await page.click("#undo");
  await page.waitForTimeout(60);
  assert.equal(await colorAt(page, 0.5, 0.3), colors.sky);
  await page.keyboard.press("Control+Shift+z");
  await page.keyboard.press("Control+y");
  await page.waitForTimeout(60);
  assert.equal(await colorAt(page, 0.5, 0.7), colors.tree);
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

test("line, polygon, fill, eyedropper and shapes", async () => {
  const { page, close } = await open(browser, "landscape");
  await firstResult(page);
  await page.keyboard.press("l");
  await chooseClass(page, "road");
  await drag(page, [0.1, 0.1], [0.9, 0.1]);
  assert.equal(await colorAt(page, 0.5, 0.1), colors.road);
  await page.keyboard.press("p");
  await chooseClass(page, "mountain");
  for (const corner of [[0.3, 0.6], [0.7, 0.6], [0.5, 0.9]]) await page.mouse.click(...(await at(page, ...corner)));
  await page.keyboard.press("Enter");
  await page.waitForTimeout(60);
  assert.equal(await colorAt(page, 0.5, 0.7), colors.mountain);
  assert.equal(await colorAt(page, 0.32, 0.85), colors.sea);
  await page.keyboard.press("g");
  await chooseClass(page, "sand");
  await page.mouse.click(...(await at(page, 0.05, 0.95)));
  await page.waitForTimeout(60);
  assert.equal(await colorAt(page, 0.95, 0.55), colors.sand);
  assert.equal(await colorAt(page, 0.5, 0.7), colors.mountain);
  await page.keyboard.press("i");
  await page.mouse.click(...(await at(page, 0.5, 0.7)));
  assert.equal((await textOf(page, "restyle-class")).toLowerCase(), "mountain");
  await choose(page, "shape", "square");
  await page.mouse.click(...(await at(page, 0.2, 0.3)));
  await page.waitForTimeout(60);
  assert.equal(await colorAt(page, 0.2 + 15 / 512, 0.3 + 15 / 512), colors.mountain); // a round one has no corner there
  await close();
});

test("the keyboard alone draws", async () => {
  const { page, close } = await open(browser, "landscape");
  await firstResult(page);
  await chooseClass(page, "snow");
  await page.focus("#sketch-overlay");
  for (let i = 0; i < 8; i++) await page.keyboard.press("ArrowUp");
  await page.keyboard.press(" ");
  await page.waitForTimeout(60);
  assert.equal(await colorAt(page, 0.5, 0.5 - 64 / 512), colors.snow);
  await close();
});

test("a finger draws on a phone", async () => {
  const { page, close } = await open(browser, "landscape", { device: PHONE });
  await firstResult(page);
  await chooseClass(page, "rock");
  await page.locator("#sketch-overlay").scrollIntoViewIfNeeded();
  await page.touchscreen.tap(...(await at(page, 0.5, 0.4)));
  await page.waitForTimeout(100);
  assert.equal(await colorAt(page, 0.5, 0.4), colors.rock);
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
  assert.match(decodeURIComponent((await restyled).url()), /seed=1000&class_seeds=\{"mountain":\d+\}/);
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

/** A PNG of two halves, as a browser makes it. */
const halves = async (page, left, right, share) =>
  Buffer.from(
    await page.evaluate(([left, right, share]) => {
      const canvas = document.createElement("canvas");
      canvas.width = canvas.height = 200;
      const context = canvas.getContext("2d");
      context.fillStyle = left;
      context.fillRect(0, 0, 200, 200);
      context.fillStyle = right;
      context.fillRect(200 * (1 - share), 0, 200 * share, 200);
      return canvas.toDataURL("image/png").split(",")[1];
    }, [left, right, share]),
    "base64",
  );

test("an uploaded sketch is drawn and its unmatched colours are told; a photo becomes a sketch", async () => {
  const { page, close } = await open(browser, "landscape", { expected: ["422"] });
  await firstResult(page);
  const file = (buffer) => ({ name: "sketch.png", mimeType: "image/png", buffer });
  const old = await source(page);
  await page.setInputFiles("#upload-sketch", file(await halves(page, colors.grass, "#ffffff", 0.25)));
  await newResult(page, old);
  assert.match(await until(page, "unmatched", (text) => text !== ""), /^25 %/);
  assert.equal(await colorAt(page, 0.2, 0.5), colors.grass);
  assert.equal(await colorAt(page, 0.95, 0.5), colors.grass);
  await page.setInputFiles("#upload-sketch", file(await halves(page, colors.grass, "#ffffff", 0.75)));
  await page.waitForSelector(".notice-error");
  assert.match(await page.locator(".notice-error").textContent(), /palette/);
  await page.setInputFiles("#upload-photo", file(await halves(page, "#445566", "#99aabb", 0.5)));
  await page.waitForFunction(() => {
    const { data } = document.getElementById("sketch").getContext("2d").getImageData(100, 400, 1, 1);
    return data[2] === 255; // the fake segmenter sees sky everywhere
  });
  assert.equal(await colorAt(page, 0.2, 0.5), colors.sky);
  await close();
});

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

test("sketch, label map and landscape can be saved", async () => {
  const { page, close } = await open(browser, "landscape");
  await firstResult(page);
  for (const [button, name] of [["save-sketch", /^sketch\.png$/], ["save-labels", /^label-map\.png$/], ["save-result", /^landscape-\d+\.png$/]]) {
    const [download] = await Promise.all([page.waitForEvent("download"), page.click(`#${button}`)]);
    assert.match(download.suggestedFilename(), name);
    const bytes = readFileSync(await download.path());
    assert.equal(bytes.subarray(1, 4).toString(), "PNG");
    if (button === "save-labels") assert.equal(bytes[25], 3, "indexed colours");
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
