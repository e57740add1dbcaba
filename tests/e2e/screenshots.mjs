// node screenshots.mjs URL FOLDER: every page at desktop and phone widths, in use, against a running server.
// TYPE=jpeg for small files, ONLY=text-phone for one of them, LAB_MS for how long the lab trains first.
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { DESKTOP, PHONE, launch, open, until } from "./browser.mjs";

const [url, folder] = process.argv.slice(2);
const LAB_MS = Number(process.env.LAB_MS ?? 60_000);
const TYPE = /** @type {"png" | "jpeg"} */ (process.env.TYPE ?? "png");
const only = process.env.ONLY ?? "";

/** @type {Record<string, (page: import("playwright-core").Page) => Promise<void>>} */
const USES = {
  async landscape(page) {
    await until(page, "latency", (text) => text.endsWith(" ms"));
    await page.fill("#seed", "7");
    await page.click("#examples li:nth-child(3) button");
    await page.click("#vary");
    await page.waitForSelector("#variations img");
    await page.waitForTimeout(1500);
  },
  async text(page) {
    await page.fill("#text-seed", "7");
    await page.click("#text-form [type=submit]");
    await until(page, "text-state", (text) => text.startsWith("ended"), 120_000);
    await page.locator(".token", { hasText: /\S/ }).nth(70).click();
    await page.waitForSelector("#attention:not([hidden])");
  },
  async lab(page) {
    await page.click("#lab-play");
    await until(page, "lab-step", (text) => text !== "0", 60_000);
    await page.waitForTimeout(LAB_MS);
  },
};

mkdirSync(folder, { recursive: true });
const browser = await launch();
for (const [kind, device] of Object.entries({ desktop: DESKTOP, phone: PHONE })) {
  for (const [name, use] of Object.entries(USES)) {
    if (!`${name}-${kind}`.includes(only)) continue;
    const { page, close } = await open(browser, name, { device, url });
    await use(page);
    await page.mouse.move(0, 0);
    await page.evaluate(() => scrollTo(0, 0)); // the head of the page sticks to where one is
    await page.screenshot({ path: join(folder, `${name}-${kind}.${TYPE}`), fullPage: true, type: TYPE, quality: TYPE === "jpeg" ? 82 : undefined });
    await close();
    console.log(`${name}-${kind}.${TYPE}`);
  }
}
await browser.close();
