// One Chromium for a file of tests, and pages that fail the test when anything goes wrong in them.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { chromium, firefox } from "playwright-core";

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

const ARGUMENTS = [
  "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
  "--disable-background-networking", "--disable-component-update", "--disable-sync",
];
export const DESKTOP = { viewport: { width: 1440, height: 900 } };
export const PHONE = { viewport: { width: 390, height: 844 }, deviceScaleFactor: 2, hasTouch: true, isMobile: true };
export const URL_ = process.env.E2E_URL;
const PATIENCE = 45_000;

export const FIREFOX = process.env.FIREFOX;
/** What playwright-core can't do with a Firefox as it is: touch, downloads, dark mode. */
export const notInFirefox = FIREFOX ? { skip: "WebDriver BiDi has no such thing yet" } : {};

/** Chromium, or the Firefox that FIREFOX names, as it is: over WebDriver BiDi. */
export const launch = () =>
  FIREFOX
    ? firefox.launch({ channel: "moz-firefox", executablePath: FIREFOX })
    : chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: ARGUMENTS });

/** Open a page of the studio; `close` checks that nothing failed in it, and that it asked no other host. */
export async function open(browser, name, { device = DESKTOP, url = URL_, expected = [], watch = () => {} } = {}) {
  const context = await browser.newContext({ ...device, acceptDownloads: true });
  const page = await context.newPage();
  page.setDefaultTimeout(PATIENCE);
  watch(page);
  const wrong = [];
  page.on("pageerror", (error) => wrong.push(String(error)));
  page.on("console", (message) => {
    if (message.type() === "error" && !expected.some((one) => message.text().includes(one))) wrong.push(`${message.text()} ${message.location().url}`);
  });
  page.on("request", (request) => {
    if (/^https?:/.test(request.url()) && !request.url().startsWith(url)) wrong.push(`asked ${request.url()}`);
  });
  await page.goto(`${url}/#${name}`);
  await page.waitForSelector(`body[data-page="${name.split("?")[0]}"]`);
  const close = async () => {
    await context.close();
    assert.deepEqual(wrong, []);
  };
  return { page, close };
}

/** What axe has against the page as it stands, a line each. */
export async function findings(page) {
  await page.evaluate(AXE);
  const { violations } = await page.evaluate(async () => {
    const fading = document.getAnimations().filter((one) => one.effect.getTiming().iterations !== Infinity);
    await Promise.allSettled(fading.map((one) => one.finished)); // half-way in, a message has little contrast
    return window.axe.run(document);
  });
  return violations.map((one) => `${one.impact}: ${one.id}: ${one.nodes.map((node) => node.target.join(" ")).slice(0, 4).join(", ")}`);
}

export const textOf = (page, id) => page.locator(`#${id}`).textContent();

/** Wait until a function of the element's text says so. */
export async function until(page, id, isRight, timeout = PATIENCE) {
  const ends = Date.now() + timeout;
  for (;;) {
    const text = await textOf(page, id);
    if (isRight(text)) return text;
    if (Date.now() > ends) assert.fail(`#${id} is still ${JSON.stringify(text)}`);
    await page.waitForTimeout(50);
  }
}
