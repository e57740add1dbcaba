// The page against the checkpoints that are bundled: what a newcomer sees after `make serve`.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { launch, notInFirefox, open, textOf, until } from "./browser.mjs";
import { startServer } from "./server.mjs";

const photo = new URL("../../docs/examples/landscape.jpg", import.meta.url).pathname;
let browser;
let server;
let kinds;
let sky; // its colour, "r,g,b"
before(async () => {
  server = await startServer("service");
  const { models } = await (await fetch(`${server.url}/models`)).json();
  kinds = models.map((one) => one.kind);
  const { classes } = await (await fetch(`${server.url}/palette`)).json();
  const { color } = classes.find((one) => one.name === "sky");
  sky = [1, 3, 5].map((at) => parseInt(color.slice(at, at + 2), 16)).join();
  browser = await launch();
});
after(async () => {
  await browser?.close();
  await server?.stop();
});

/** Tokens that can be clicked; a line break can't. */
const visible = (page) => page.locator(".token", { hasText: /\S/ });

test("a drawn sketch becomes a landscape", { timeout: 120_000 }, async (context) => {
  if (!kinds.includes("landscape")) return context.skip("no landscape checkpoint is bundled");
  const { page, close } = await open(browser, "landscape", { url: server.url });
  await until(page, "latency", (text) => text.endsWith(" ms"), 60_000);
  const old = await page.locator("#result").getAttribute("src");
  await page.click("#examples li:nth-child(3) button");
  await page.waitForFunction((old) => document.getElementById("result").getAttribute("src") !== old, old);
  await page.waitForFunction(() => document.getElementById("result").naturalWidth >= 64);
  const colors = await page.evaluate(() => {
    const image = document.getElementById("result");
    const canvas = new OffscreenCanvas(64, 64);
    const paint = canvas.getContext("2d");
    paint.drawImage(image, 0, 0, 64, 64);
    const { data } = paint.getImageData(0, 0, 64, 64);
    return new Set(Array.from({ length: 4096 }, (_, i) => (data[4 * i] << 16) | (data[4 * i + 1] << 8) | data[4 * i + 2])).size;
  });
  assert.ok(colors > 500, `${colors} colours: no photo`);
  await close();
});

test("from opening the page to a downloaded picture in three clicks", { timeout: 120_000, ...notInFirefox }, async (context) => {
  if (!kinds.includes("landscape")) return context.skip("no landscape checkpoint is bundled");
  const began = performance.now();
  const { page, close } = await open(browser, "landscape", { url: server.url });
  const seconds = () => ((performance.now() - began) / 1000).toFixed(1);
  await until(page, "latency", (text) => text.endsWith(" ms"), 60_000);
  context.diagnostic(`the first landscape is there after ${seconds()} s, without a click`);
  const old = await page.locator("#result").getAttribute("src");
  await page.click("#examples li:nth-child(3) button");
  await page.click("#roll");
  await page.waitForFunction((old) => document.getElementById("result").getAttribute("src") !== old, old);
  const [download] = await Promise.all([page.waitForEvent("download"), page.click("#save-result")]);
  const bytes = readFileSync(await download.path());
  context.diagnostic(`the picture is saved after ${seconds()} s and three clicks`);
  assert.equal(bytes.subarray(1, 4).toString(), "PNG");
  assert.deepEqual([bytes.readUInt32BE(16), bytes.readUInt32BE(20)], [256, 256]);
  await close();
});

test("a photo becomes a sketch, and that a landscape", { timeout: 120_000 }, async (context) => {
  if (!kinds.includes("segmenter")) return context.skip("no segmenter is bundled");
  const { page, close } = await open(browser, "landscape", { url: server.url });
  await until(page, "latency", (text) => text.endsWith(" ms"), 60_000);
  const old = await page.locator("#result").getAttribute("src");
  const drawn = () => page.evaluate(() => {
    const canvas = document.getElementById("sketch");
    const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    const counts = {};
    for (let at = 0; at < data.length; at += 4) {
      const color = `${data[at]},${data[at + 1]},${data[at + 2]}`;
      counts[color] = (counts[color] ?? 0) + 4 / data.length;
    }
    return counts;
  });
  const before = await drawn();
  await page.setInputFiles("#upload-photo", photo);
  await page.waitForFunction((old) => document.getElementById("result").getAttribute("src") !== old, old);
  const after = await drawn();
  assert.notDeepEqual(after, before);
  assert.ok(after[sky] > 0.15, `sky in ${after[sky]} of it`);
  assert.ok(Object.keys(after).length >= 3, `saw only ${Object.keys(after)}`);
  await close();
});

test("a prompt becomes text, with the alternatives of each token", { timeout: 120_000 }, async (context) => {
  if (!kinds.includes("gpt")) return context.skip("no text checkpoint is bundled");
  const { page, close } = await open(browser, "text", { url: server.url });
  await page.fill("#max-tokens", "40");
  await page.click("#text-form [type=submit]");
  await until(page, "text-state", (text) => text.startsWith("ended"), 90_000);
  assert.ok((await textOf(page, "output-text")).length >= 40);
  await visible(page).nth(4).click();
  assert.ok((await page.locator("#alternatives tbody tr").count()) >= 8);
  await close();
});

test("a clicked token shows what the model looked at, by layer and head", { timeout: 120_000 }, async (context) => {
  if (!kinds.includes("gpt")) return context.skip("no text checkpoint is bundled");
  const { page, close } = await open(browser, "text", { url: server.url });
  await page.fill("#max-tokens", "40");
  await page.click("#text-form [type=submit]");
  await until(page, "text-state", (text) => text.startsWith("ended"), 90_000);
  const prompt = await textOf(page, "output-prompt");
  let asked = 0;
  page.on("request", (request) => (asked += request.method() === "POST"));
  await visible(page).nth(15).click();
  await page.waitForSelector("#attention:not([hidden])");
  const weights = () => page.evaluate(() => [...document.querySelectorAll("#output-prompt span, .token")].map((one) => Number(one.style.getPropertyValue("--weight"))));
  const mean = await weights();
  const numAhead = await page.locator(".token.is-selected ~ .token").count();
  assert.ok(numAhead > 5, `${numAhead} tokens ahead`);
  assert.ok(mean.slice(0, -numAhead).some((one) => one > 0.2), "it looked at something");
  assert.ok(mean.slice(-numAhead).every((one) => one === 0), "and never ahead");
  assert.equal(await textOf(page, "output-prompt"), prompt);
  assert.equal(await page.locator("#attention-list tbody tr").count(), 6);
  await page.selectOption("#attention-layer", "1");
  await page.selectOption("#attention-head", "2");
  assert.notDeepEqual(await weights(), mean);
  const box = await page.locator("#attention-map").boundingBox();
  await page.mouse.click(box.x + 2, box.y + 2);
  assert.deepEqual([await page.inputValue("#attention-layer"), await page.inputValue("#attention-head")], ["0", "0"]);
  await page.focus("#output");
  const second = await page.locator(".token.is-selected").getAttribute("data-index");
  await page.keyboard.press("ArrowRight");
  await page.waitForTimeout(300);
  assert.equal(Number(await page.locator(".token.is-selected").getAttribute("data-index")), Number(second) + 1);
  assert.equal(asked, 1, "the neighbours came along");
  await page.keyboard.press("Escape");
  assert.ok(await page.locator("#attention").isHidden());
  assert.ok((await weights()).every((one) => one === 0));
  await close();
});
