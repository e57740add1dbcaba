// The text studio: streaming, stopping, seeds, errors, alternatives.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { findings, launch, open, textOf, until } from "./browser.mjs";

let browser;
before(async () => (browser = await launch()));
after(() => browser.close());

const lengthOf = (page) => page.evaluate(() => document.getElementById("output-text").textContent.length);

test("text streams in, and Stop ends it on the server too", async () => {
  const { page, close } = await open(browser, "text");
  await page.fill("#prompt", "stop me");
  await page.fill("#max-tokens", "4096");
  await page.click("#text-form [type=submit]");
  await page.waitForFunction(() => document.getElementById("output-text").textContent.length > 20);
  const early = await lengthOf(page);
  await page.waitForFunction((early) => document.getElementById("output-text").textContent.length > early, early);
  assert.equal(await textOf(page, "text-state"), "generating");
  await page.click("#stop-text");
  await until(page, "text-state", (text) => text === "stopped");
  const stopped = await lengthOf(page);
  await page.waitForTimeout(400);
  assert.equal(await lengthOf(page), stopped);
  assert.ok(stopped < 4096);
  assert.match(await textOf(page, "first-ms"), /^\d+ ms$/);
  assert.match(await textOf(page, "rate"), /^\d+$/);
  let record = "";
  for (let i = 0; i < 50 && !record.includes("dropped 'stop me'"); i++) {
    await page.waitForTimeout(100);
    record = readFileSync(join(process.env.E2E_FOLDER, "record"), "utf8");
  }
  assert.match(record, /dropped 'stop me'/);
  await close();
});

test("a seed gives the same text again, another seed another", async () => {
  const { page, close } = await open(browser, "text");
  await page.fill("#text-seed", "3");
  await page.fill("#max-tokens", "10");
  const generate = async (button) => {
    await page.click(button);
    await until(page, "text-state", (text) => text.startsWith("ended"));
    return textOf(page, "output-text");
  };
  assert.equal(await generate("#text-form [type=submit]"), "defghijklm"); // as the fake engine writes
  assert.equal(await generate("#text-form [type=submit]"), "defghijklm");
  assert.equal(await textOf(page, "tokens"), "10");
  assert.equal(await textOf(page, "text-seed-used"), "3");
  await generate("#regenerate");
  assert.notEqual(await page.inputValue("#text-seed"), "3");
  await close();
});

test("the server's complaint is shown at its field; the form's own as well", async () => {
  const { page, close } = await open(browser, "text", { expected: ["422"] });
  await page.fill("#prompt", "refuse");
  await page.keyboard.press("Control+Enter");
  assert.match(await until(page, "text-problem", (text) => text !== ""), /Refused, as asked/);
  assert.equal(await page.locator("#prompt").getAttribute("aria-invalid"), "true");
  await page.fill("#prompt", "fine");
  await page.fill("#max-tokens", "9999");
  await page.keyboard.press("Control+Enter");
  assert.match(await until(page, "text-problem", (text) => text.includes("4096")), /from 1 to 4096/);
  await close();
});

test("pointing at a token shows its alternatives, the arrow keys what the model looked at as well", async () => {
  const { page, close } = await open(browser, "text");
  const event = (choice, rest = {}) => `data: ${JSON.stringify({ id: "x", model: "m", choices: choice ? [{ index: 0, ...choice }] : [], ...rest })}\n\n`;
  const token = (token, logprob, other) => ({ token, logprob, top: [{ token, logprob }, { token: other, logprob: -3 }] });
  const usage = { prompt_tokens: 1, completion_tokens: 2, prompt_truncated: false };
  const looked = { index: 0, token: "Good", context: ["RO", "MEO:", "\n"], weights: [[[0.1, 0.8, 0.1]], [[0.1, 0.2, 0.7]]] };
  let hasText = false;
  await page.route("**/generate/text", (route) => {
    const { attention } = route.request().postDataJSON() ?? { attention: hasText }; // WebDriver BiDi has no bodies
    hasText = true;
    if (attention) return route.fulfill({ json: { choices: [{ attention: [looked, { ...looked, index: 1, token: " evening" }] }] } });
    return route.fulfill({
      contentType: "text/event-stream",
      body: event({ text: "Good", finish_reason: null, logprobs: [token("Good", -0.1, "Bad")] }) + event({ text: " night", finish_reason: "length", seed: 1, logprobs: [token(" night", -2, " day")] }) + event(null, { usage }) + "data: [DONE]\n\n",
    });
  });
  await page.click("#text-form [type=submit]");
  await until(page, "text-state", (text) => text.startsWith("ended"));
  await page.hover(".token:nth-child(2)");
  assert.match(await until(page, "alternatives", (text) => text.includes("night")), /␣day.*5\.0 %/s);
  await page.focus("#output");
  await page.keyboard.press("ArrowLeft");
  assert.match(await until(page, "alternatives", (text) => text.includes("Good")), /90 %.*Bad/s);
  assert.match(await until(page, "attention-list", (text) => text.includes("%")), /MEO:−2.*50 %.*↵−1.*40 %/s);
  await page.selectOption("#attention-layer", "1");
  assert.match(await until(page, "attention-list", (text) => text.includes("70 %")), /↵−1.*70 %/s);
  assert.deepEqual(await findings(page), []);
  await page.keyboard.press("Escape");
  assert.ok(await page.locator("#attention").isHidden());
  await page.click(".token:nth-child(2)"); // the answer has another token there
  await until(page, "attention-state", (text) => text.includes("did not write the same"));
  await close();
});
