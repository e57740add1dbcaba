// The GAN Lab: a run that converges, steering, drawing, sharing.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { FIREFOX, launch, open, textOf, until } from "./browser.mjs";

let browser;
before(async () => (browser = await launch()));
after(() => browser.close());

const CONVERGES_MS = 400_000;
const stepOf = async (page) => Number((await textOf(page, "lab-step")).replaceAll(",", ""));

test("a run on the ring converges: twice the floor at most, 34 bins of 36", { timeout: CONVERGES_MS + 60_000 }, async () => {
  const { page, close } = await open(browser, "lab");
  await page.click("#lab-play");
  const ends = Date.now() + CONVERGES_MS;
  for (;;) {
    const times = parseFloat(await textOf(page, "times-floor"));
    const bins = parseInt(await textOf(page, "now-bins_hit"), 10);
    if (times <= 2 && bins >= 34 && (await stepOf(page)) > 300) break;
    assert.ok((await stepOf(page)) <= 4000, "not within 4,000 steps");
    assert.ok(Date.now() < ends, `step ${await stepOf(page)}: ${times} × the floor, ${bins} bins`);
    await page.waitForTimeout(250);
  }
  await page.click("#lab-play");
  await until(page, "lab-state", (text) => text === "paused");
  const paused = await stepOf(page);
  await page.selectOption("#lab-steps", "10");
  await page.click("#lab-step-button");
  await until(page, "lab-step", (text) => Number(text.replaceAll(",", "")) === paused + 10);
  await until(page, "lab-state", (text) => text === "paused");
  assert.match(await page.locator("#plane").getAttribute("aria-label"), /bins hit/);
  const gUpdates = await textOf(page, "lab-g-updates");
  await page.locator("label:has(> input[name=train][value=discriminator])").click();
  await page.click("#lab-step-button");
  await until(page, "lab-step", (text) => Number(text.replaceAll(",", "")) === paused + 20);
  assert.equal(await textOf(page, "lab-g-updates"), gUpdates);
  await page.click("#lab-reset");
  assert.equal(await textOf(page, "lab-step"), "0");
  await close();
});

test("a distribution drawn by hand is learned, and its link brings it back", { timeout: 120_000 }, async () => {
  const { page, close } = await open(browser, "lab");
  await page.selectOption("#lab-data", "drawn");
  await page.click("#lab-play");
  await page.waitForSelector(".notice-error"); // nothing is drawn yet
  const box = await page.locator("#plane").boundingBox();
  await page.mouse.move(box.x + 0.3 * box.width, box.y + 0.5 * box.height);
  await page.mouse.down();
  await page.mouse.move(box.x + 0.7 * box.width, box.y + 0.4 * box.height, { steps: 10 });
  await page.mouse.up();
  const points = parseInt(await textOf(page, "lab-points"), 10);
  assert.ok(points > 20, `${points} points`);
  await page.fill("#lab-generator_width", "32");
  await page.click("#lab-link");
  const link = page.url();
  assert.match(link, /#lab\?data=drawn&generator_width=32&points=/);
  const created = page.waitForRequest((request) => request.method() === "POST");
  await page.click("#lab-play");
  const sent = (await created).postDataJSON();
  if (!FIREFOX) assert.equal(sent.points.length, points); // WebDriver BiDi hands over no bodies
  await until(page, "lab-step", (text) => text !== "0", 90_000);
  const other = await open(browser, link.split("#")[1]);
  assert.equal(parseInt(await textOf(other.page, "lab-points"), 10), points);
  assert.equal(await other.page.inputValue("#lab-generator_width"), "32");
  await other.close();
  await close();
});

test("a wrong setting is named and sends nothing", async () => {
  const { page, close } = await open(browser, "lab");
  await page.fill("#lab-batch_size", "100000");
  await page.keyboard.press("Tab");
  await page.waitForSelector(".notice-error");
  assert.match(await page.locator(".notice-error").textContent(), /Batch: a whole number from 8 to 512/);
  assert.equal(await page.locator("#lab-batch_size").getAttribute("aria-invalid"), "true");
  await close();
});
