// axe on every page at desktop and phone widths, and the page's weight.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { DESKTOP, PHONE, findings, launch, open, until } from "./browser.mjs";

const MAX_BYTES = 300_000;

let browser;
before(async () => (browser = await launch()));
after(() => browser.close());

for (const [kind, device] of Object.entries({ desktop: DESKTOP, phone: PHONE })) {
  for (const name of ["landscape", "text", "lab"]) {
    test(`axe has nothing against ${name} on a ${kind}`, async () => {
      const { page, close } = await open(browser, name, { device });
      if (name === "landscape") await until(page, "latency", (text) => text.endsWith(" ms"));
      assert.deepEqual(await findings(page), []);
      await close();
    });
  }
}

test("axe has nothing against the help, the variations or a message", async () => {
  const { page, close } = await open(browser, "landscape", { expected: ["422"] });
  await until(page, "latency", (text) => text.endsWith(" ms"));
  await page.click("#restyle");
  await page.click("#vary");
  await page.waitForSelector("#variations img");
  await page.setInputFiles("#upload-sketch", { name: "x.png", mimeType: "image/png", buffer: Buffer.from("no picture") });
  await page.waitForSelector(".notice-error");
  assert.deepEqual(await findings(page), []);
  await page.click("#help-button");
  assert.deepEqual(await findings(page), []);
  await close();
});

test("all three pages together weigh less than 300 kB", async () => {
  const seen = new Map();
  const watch = (page) =>
    page.on("response", async (response) => {
      const path = new URL(response.url()).pathname;
      if (path === "/" || path.startsWith("/studio/")) seen.set(path, (await response.body()).length);
    });
  const { page, close } = await open(browser, "landscape", { watch });
  for (const name of ["text", "lab", "landscape"]) {
    await page.click(`#tab-${name}`);
    await page.waitForSelector(`body[data-page="${name}"]`);
  }
  await page.waitForTimeout(500);
  const bytes = [...seen.values()].reduce((sum, one) => sum + one, 0);
  assert.ok(seen.size > 30, `${seen.size} files`);
  assert.ok(bytes > 50_000 && bytes < MAX_BYTES, `${bytes} bytes`);
  await close();
});
