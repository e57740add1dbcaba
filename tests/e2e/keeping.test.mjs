// Nothing drawn is lost: reloads, undo, drawings, links, pictures that carry their sketch, a server that is away.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { URL_, launch, notInFirefox, open, textOf, until } from "./browser.mjs";
import { at, chooseClass, drag, expectColor, firstResult, give, halves, newResult, paletteColors, source } from "./studio.mjs";

let browser;
let colors;
before(async () => {
  browser = await launch();
  colors = await paletteColors();
});
after(() => browser.close());

const ready = (page) => page.waitForSelector('body[data-page="landscape"]');
const reload = async (page) => (await page.reload(), await ready(page));
/** One mark in the sky, of one class. */
const draw = async (page, name, x = 0.5, y = 0.25) => {
  await chooseClass(page, name);
  await page.mouse.click(...(await at(page, x, y)));
  await expectColor(page, x, y, colors[name]);
};
const numKept = (page) => page.locator("#drawings li").count();
const keptAre = (page, count) => page.waitForFunction((count) => document.querySelectorAll("#drawings li").length === count, count);
const saved = async (page, button) => {
  const [download] = await Promise.all([page.waitForEvent("download"), page.click(`#${button}`)]);
  return { name: download.suggestedFilename(), bytes: readFileSync(await download.path()) };
};

test("a reload brings back the drawing, its seeds, the tools and the history", async () => {
  const { page, close } = await open(browser, "landscape");
  await firstResult(page);
  await draw(page, "tree", 0.3);
  await draw(page, "rock", 0.7);
  await page.fill("#seed", "4711");
  await page.keyboard.press("Tab");
  await page.click("#restyle");
  const chip = await textOf(page, "class-seeds");
  await page.keyboard.press("l");
  await page.fill("#brush-size", "77");
  await draw(page, "sand", 0.1, 0.9); // a line of no length is a mark
  await reload(page);
  await expectColor(page, 0.3, 0.25, colors.tree);
  await expectColor(page, 0.7, 0.25, colors.rock);
  assert.equal(await page.inputValue("#seed"), "4711");
  assert.equal(await textOf(page, "class-seeds"), chip);
  assert.equal(await page.locator("input[name=tool]:checked").inputValue(), "line");
  assert.equal(await page.inputValue("#brush-size"), "77");
  for (let i = 0; i < 4; i++) await page.click("#undo"); // the mark, the class's seed, the seed, the rock
  await expectColor(page, 0.7, 0.25, colors.sky);
  await expectColor(page, 0.3, 0.25, colors.tree);
  await reload(page); // and the way forward too
  await page.click("#redo");
  await expectColor(page, 0.7, 0.25, colors.rock);
  await close();
});

test("a stroke just before the page goes is kept, and so is the way back to it", async () => {
  const { page, close } = await open(browser, "landscape");
  await firstResult(page);
  await draw(page, "tree");
  await page.goto("about:blank");
  await page.goBack();
  await ready(page);
  await expectColor(page, 0.5, 0.25, colors.tree);
  await page.keyboard.press("Control+z");
  await expectColor(page, 0.5, 0.25, colors.sky);
  await close();
});

test("a crash loses nothing that was drawn a moment before", async () => {
  const { page, close } = await open(browser, "landscape");
  await firstResult(page);
  await draw(page, "building");
  await keptAre(page, 1);
  const { context } = { context: page.context() };
  await page.goto("chrome://crash").catch(() => {});
  const again = await context.newPage();
  await again.goto(`${URL_}/#landscape`);
  await ready(again);
  await expectColor(again, 0.5, 0.25, colors.building);
  await close();
});

test("undo covers dice, seeds, class seeds, restyle, variations, uploads, examples and Clear", async () => {
  const { page, close } = await open(browser, "landscape");
  await firstResult(page);
  const state = async () => ({ seed: await page.inputValue("#seed"), chips: await textOf(page, "class-seeds"), top: await source(page) && (await topLeft()) });
  const topLeft = () => page.evaluate(() => [...document.getElementById("sketch").getContext("2d").getImageData(256, 400, 1, 1).data].join());
  await page.click("#vary");
  await page.waitForSelector("#variations img");
  const steps = {
    dice: () => page.click("#roll"),
    seed: async () => (await page.fill("#seed", "12"), await page.keyboard.press("Tab")),
    restyle: () => page.click("#restyle"),
    chip: () => page.click("#class-seeds button"),
    variation: () => page.click("#variations li:nth-child(2) button"),
    upload: async () => page.setInputFiles("#upload-sketch", { name: "s.png", mimeType: "image/png", buffer: await halves(page, colors.grass, colors.road, 0.5) }),
    example: () => page.click("#examples li:nth-child(6) button"),
    clear: () => page.click("#clear"),
  };
  const states = [await state()];
  for (const [name, step] of Object.entries(steps)) {
    await step();
    const before = JSON.stringify(states.at(-1));
    for (let i = 0; i < 100 && JSON.stringify(await state()) === before; i++) await page.waitForTimeout(20);
    states.push(await state());
    assert.notEqual(JSON.stringify(states.at(-1)), before, name);
  }
  const reaches = async (wanted, name) => {
    for (let i = 0; i < 100 && JSON.stringify(await state()) !== JSON.stringify(wanted); i++) await page.waitForTimeout(20);
    assert.deepEqual(await state(), wanted, name);
  };
  for (const [i, name] of [...Object.keys(steps).entries()].reverse()) {
    await page.click("#undo");
    await reaches(states[i], `undo of ${name}`);
  }
  assert.ok(await page.locator("#undo").isDisabled());
  for (let i = 1; i < states.length; i++) {
    await page.click("#redo");
    await reaches(states[i], `redo ${i}`);
  }
  await close();
});

test("the results of the visit: a click returns to one, undo from it, and they can be forgotten", async () => {
  const { page, close } = await open(browser, "landscape");
  await firstResult(page);
  const first = await page.inputValue("#seed");
  let old = await source(page);
  await draw(page, "tree");
  await newResult(page, old);
  old = await source(page);
  await page.fill("#seed", "99");
  await page.keyboard.press("Tab");
  await newResult(page, old);
  await page.waitForFunction(() => document.querySelectorAll("#gallery li").length === 3);
  assert.deepEqual(await page.locator("#gallery .thumb span").allTextContents(), ["99", first, first]);
  old = await source(page);
  await page.click("#gallery li:nth-child(3) button");
  await expectColor(page, 0.5, 0.25, colors.sky);
  assert.equal(await page.inputValue("#seed"), first);
  await newResult(page, old);
  old = await source(page);
  await page.keyboard.press("Control+z");
  await expectColor(page, 0.5, 0.25, colors.tree);
  assert.equal(await page.inputValue("#seed"), "99");
  await newResult(page, old); // which joins the gallery
  await page.click("#clear-gallery");
  assert.ok(await page.locator("#gallery-card").isHidden());
  await close();
});

test("drawings have names, are opened, deleted and brought back; the unnamed ones are bounded in number", async () => {
  const { page, close } = await open(browser, "landscape");
  await firstResult(page);
  await draw(page, "tree");
  await page.fill("#drawing-name", "  My   <b>coast</b> ");
  await page.keyboard.press("Tab");
  await until(page, "drawings", (text) => text.includes("My <b>coast</b>"));
  await page.click("#new-drawing");
  assert.equal(await page.inputValue("#drawing-name"), "");
  await expectColor(page, 0.5, 0.25, colors.sky);
  await draw(page, "rock");
  await keptAre(page, 2);
  await page.click("#drawings li:nth-child(2) .thumb");
  await expectColor(page, 0.5, 0.25, colors.tree);
  assert.equal(await page.inputValue("#drawing-name"), "My <b>coast</b>");
  await page.click("#drawings li:has([aria-current]) .thumb-remove");
  await keptAre(page, 1);
  await expectColor(page, 0.5, 0.25, colors.sky);
  await page.click('.notice button:has-text("Bring it back")');
  await expectColor(page, 0.5, 0.25, colors.tree);
  await keptAre(page, 2);
  for (let i = 0; i < 13; i++) {
    await page.click("#new-drawing");
    await draw(page, "sand");
    await page.waitForFunction(() => document.querySelector("#drawings li:first-child [aria-current]"));
  }
  assert.equal(await numKept(page), 13, "twelve, and the one with a name");
  assert.match(await textOf(page, "drawings"), /My <b>coast/);
  await close();
});

test("two tabs with the same drawing: neither loses what it has", async () => {
  const { page, close } = await open(browser, "landscape");
  await firstResult(page);
  await draw(page, "tree", 0.3);
  await keptAre(page, 1);
  const other = await page.context().newPage();
  await other.goto(`${URL_}/#landscape`);
  await ready(other);
  await expectColor(other, 0.3, 0.25, colors.tree);
  await draw(page, "rock", 0.6);
  await page.waitForTimeout(600); // until that is kept
  await draw(other, "sand", 0.9);
  await other.waitForSelector(".notice");
  await keptAre(other, 2);
  await draw(page, "road", 0.1); // goes on in its place
  await page.waitForTimeout(600);
  for (const [tab, theirs, not] of [[page, "rock", 0.9], [other, "sand", 0.6]]) {
    await reload(tab);
    await expectColor(tab, theirs === "rock" ? 0.6 : 0.9, 0.25, colors[theirs]);
    await expectColor(tab, not, 0.25, colors.sky);
  }
  assert.equal(await numKept(page), 2);
  await close();
});

test("a link brings back sketch and seeds, beside what was there, and asks nobody for it", async () => {
  const { page, close } = await open(browser, "landscape");
  await firstResult(page);
  await draw(page, "tree");
  await page.fill("#seed", "123");
  await page.keyboard.press("Tab");
  await page.click("#restyle");
  const chip = await textOf(page, "class-seeds");
  await page.click("#share");
  await page.waitForSelector("#link-dialog[open]");
  const link = await page.inputValue("#link");
  assert.ok(link.startsWith(`${URL_}/#landscape?`) && link.length < 2000, `${link.length}: ${link.slice(0, 80)}`);
  await page.click("#copy-link");
  await page.waitForSelector("#link-copied:not([hidden])");
  const other = await open(browser, "landscape");
  await firstResult(other.page);
  await draw(other.page, "rock", 0.2);
  await other.page.route("**/generate/**", (route) => route.abort());
  await other.page.evaluate((link) => (location.href = link), link); // WebDriver BiDi waits for a load that never comes
  await expectColor(other.page, 0.5, 0.25, colors.tree);
  assert.equal(await other.page.inputValue("#seed"), "123");
  assert.equal(await textOf(other.page, "class-seeds"), chip);
  assert.equal(other.page.url(), `${URL_}/#landscape`, "a reload goes on with the drawing, not with the link");
  await keptAre(other.page, 2);
  await other.page.click("#drawings li:nth-child(2) .thumb");
  await expectColor(other.page, 0.2, 0.25, colors.rock);
  await other.page.context().close();
  await close();
});

test("links that lie are refused, and what was drawn stays", async () => {
  const { page, close } = await open(browser, "landscape");
  await firstResult(page);
  await draw(page, "tree");
  for (const query of ["seed=1&width=512&height=512&labels=AAAA", "seed=1&width=9999999&height=9999999&labels=eJw", "labels=<img src=x onerror=alert(1)>", "seed=x&labels="]) {
    await page.evaluate((query) => (location.hash = `landscape?${query}`), query);
    await page.waitForSelector(".notice-error");
    assert.match(await page.locator(".notice-error").last().textContent(), /link can't be opened/);
    assert.equal(await page.locator(".notice img").count(), 0);
    await page.click(".notice-error .notice-close");
    await expectColor(page, 0.5, 0.25, colors.tree);
  }
  await close();
});

test("a saved landscape carries its sketch when it is asked to, and brings everything back when it is dropped", notInFirefox, async () => {
  const { page, close } = await open(browser, "landscape");
  await firstResult(page);
  await draw(page, "tree");
  await page.fill("#seed", "321");
  await page.keyboard.press("Tab");
  await page.click("#restyle");
  const chip = await textOf(page, "class-seeds");
  await page.waitForFunction(() => document.getElementById("result").alt.endsWith(" 321"));
  const plain = await saved(page, "save-result");
  assert.ok(!plain.bytes.includes("Prospero"));
  await page.check("#with-sketch");
  const carrying = await saved(page, "save-result");
  assert.ok(carrying.bytes.includes("tEXtProspero"));
  const exported = await saved(page, "export");
  for (const { bytes } of [carrying, exported]) {
    for (const way of ["drop", "paste"]) {
      await page.click("#new-drawing");
      await expectColor(page, 0.5, 0.25, colors.sky);
      await give(page, way, bytes);
      await expectColor(page, 0.5, 0.25, colors.tree);
      assert.equal(await page.inputValue("#seed"), "321");
      assert.equal(await textOf(page, "class-seeds"), chip);
    }
  }
  await reload(page);
  assert.ok(await page.isChecked("#with-sketch"), "the choice is kept");
  await close();
});

test("a picture that carries nonsense is read as a picture, and never becomes markup", notInFirefox, async () => {
  const { page, close } = await open(browser, "landscape");
  await firstResult(page);
  const exported = await saved(page, "export");
  const at = exported.bytes.indexOf("tEXtProspero") + 13;
  const evil = Buffer.from('{"seed":1,"width":512,"height":512,"name":"<img src=x onerror=alert(1)>","labels":"AAAA"');
  evil.copy(exported.bytes, at);
  exported.bytes[at + evil.length] = "}".charCodeAt(0);
  await give(page, "drop", exported.bytes);
  await page.waitForSelector(".notice");
  assert.match(await page.locator(".notice").first().textContent(), /can't be used|not a picture/);
  assert.equal(await page.locator(".notice img, #drawings img").count(), 0);
  await close();
});

test("while the server is away the page says so and draws on; then it paints by itself", notInFirefox, async () => {
  const { page, close } = await open(browser, "landscape", { expected: ["ERR_FAILED", "ERR_CONNECTION"] });
  await firstResult(page);
  let isAway = true;
  await page.route("**/generate/landscape?*", (route) => (isAway ? route.abort() : route.continue()));
  const old = await source(page);
  await draw(page, "tree");
  assert.match(await until(page, "result-problem", (text) => text !== ""), /can't be reached.*kept/);
  await draw(page, "rock", 0.2);
  assert.equal(await source(page), old);
  const shown = await saved(page, "save-result");
  assert.match(shown.name, /\.jpg$/);
  isAway = false;
  await newResult(page, old);
  assert.ok(await page.locator("#result-problem").isHidden());
  await close();
});

test("without the palette the page waits for the server, and then starts", async () => {
  let refused = 0;
  const watch = (page) => page.route("**/palette", (route) => (refused++ < 2 ? route.abort() : route.continue()));
  const { page, close } = await open(browser, "landscape", { watch, expected: ["ERR_FAILED"] });
  await firstResult(page);
  assert.equal(refused, 3);
  assert.equal(await page.locator(".notice").count(), 0);
  await drag(page, [0.2, 0.3], [0.4, 0.3]);
  await close();
});

// A GIF of 32 × 32 pixels, grass over sea, and an AVIF of the same would each be refused by the server's decoders.
test("what the browser can decode is accepted, since the canvas is what is sent", async () => {
  const { page, close } = await open(browser, "landscape");
  await firstResult(page);
  const sent = page.waitForRequest((request) => request.url().includes("/generate/landscape"));
  await page.setInputFiles("#upload-sketch", { name: "s.gif", mimeType: "image/gif", buffer: gif(colors.grass, colors.sea) });
  await expectColor(page, 0.5, 0.2, colors.grass);
  await expectColor(page, 0.5, 0.8, colors.sea);
  assert.equal(await (await sent).headerValue("content-type"), "image/png");
  await close();
});

/** A GIF87a of two halves, its codes never longer than three bits. */
function gif(top, bottom) {
  const [size, rgb] = [32, (color) => [1, 3, 5].map((from) => parseInt(color.slice(from, from + 2), 16))];
  const bits = [];
  for (let i = 0; i < size * size; i++) {
    if (i % 2 === 0) bits.push(0, 0, 1); // clear, before codes grow: 4, the least significant bit first
    bits.push(i < (size * size) / 2 ? 0 : 1, 0, 0);
  }
  bits.push(1, 0, 1);
  const bytes = Array.from({ length: Math.ceil(bits.length / 8) }, (_, i) => bits.slice(8 * i, 8 * i + 8).reduce((sum, bit, at) => sum | (bit << at), 0));
  const blocks = [];
  for (let i = 0; i < bytes.length; i += 255) blocks.push(Math.min(255, bytes.length - i), ...bytes.slice(i, i + 255));
  const head = [...Buffer.from("GIF87a"), size, 0, size, 0, 0x80, 0, 0, ...rgb(top), ...rgb(bottom)];
  return Buffer.from([...head, 0x2c, 0, 0, 0, 0, size, 0, size, 0, 0, 2, ...blocks, 0, 0x3b]);
}
