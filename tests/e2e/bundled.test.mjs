// The page against the checkpoints that are bundled: what a newcomer sees after `make serve`.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { launch, open, textOf, until } from "./browser.mjs";
import { startServer } from "./server.mjs";

let browser;
let server;
let kinds;
before(async () => {
  server = await startServer("service");
  const { models } = await (await fetch(`${server.url}/models`)).json();
  kinds = models.map((one) => one.kind);
  browser = await launch();
});
after(async () => {
  await browser?.close();
  await server?.stop();
});

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

test("a prompt becomes text, with the alternatives of each token", { timeout: 120_000 }, async (context) => {
  if (!kinds.includes("gpt")) return context.skip("no text checkpoint is bundled");
  const { page, close } = await open(browser, "text", { url: server.url });
  await page.fill("#max-tokens", "40");
  await page.click("#text-form [type=submit]");
  await until(page, "text-state", (text) => text.startsWith("ended"), 90_000);
  assert.ok((await textOf(page, "output-text")).length >= 40);
  await page.click(".token:nth-child(5)");
  assert.ok((await page.locator("#alternatives tbody tr").count()) >= 8);
  await close();
});
