// The contract's page: drawn from this server alone, under its policy, where API keys are asked for.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { launch } from "./browser.mjs";
import { startServer } from "./server.mjs";

let browser;
let server;
before(async () => {
  server = await startServer("harness.fake_server", { PROSPERO_API_KEYS: "one", FAKE_KINDS: "gpt" });
  browser = await launch();
});
after(async () => {
  await browser?.close();
  await server?.stop();
});

test("every route can be read, and tried with a key", { timeout: 60_000 }, async () => {
  const page = await browser.newPage();
  const wrong = [];
  page.on("console", (message) => message.type() === "error" && wrong.push(message.text()));
  page.on("request", (request) => {
    if (/^https?:/.test(request.url()) && !request.url().startsWith(server.url)) wrong.push(request.url());
  });
  await page.goto(`${server.url}/docs`);
  await page.waitForSelector('[data-path="/generate/text"]');
  await page.click("button.authorize");
  await page.fill("#api_key_value", "one");
  await page.click('.auth-container:has(#api_key_value) button[type="submit"]');
  await page.click("button.btn-done");
  await page.click('[data-path="/version"]');
  await page.click("button.try-out__btn");
  await page.click("button.execute");
  await page.waitForSelector('.live-responses-table .response-col_status:has-text("200")');
  assert.deepEqual(wrong, []);
});
