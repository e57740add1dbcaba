// The canvas as a tool: zoom, gestures, shapes, selection, aspect ratios, and how it fits on screens of every kind.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { DESKTOP, PHONE, FIREFOX, findings, launch, notInFirefox, open, until } from "./browser.mjs";
import { at, choose, chooseClass, colorAt, drag, expectColor, firstResult, give, halves, newResult, paletteColors, source } from "./studio.mjs";

const SIDEWAYS = { ...PHONE, viewport: { width: 740, height: 340 } };
const ZOOMED = { viewport: { width: 720, height: 450 } }; // 1440 × 900 at 200 %
const SCREENS = { desktop: DESKTOP, "upright phone": PHONE, "phone on its side": SIDEWAYS, "200 %": ZOOMED, "720 pixels": { viewport: { width: 720, height: 900 } } };

let browser;
let colors;
before(async () => {
  browser = await launch();
  colors = await paletteColors();
});
after(() => browser.close());

/** The shares of the sketch at the corners of what is seen of it. */
const seen = (page) =>
  page.evaluate(() => {
    const [frame, canvas] = ["sketch-frame", "sketch"].map((id) => document.getElementById(id).getBoundingClientRect());
    return { left: (frame.left - canvas.left) / canvas.width, top: (frame.top - canvas.top) / canvas.height, zoom: canvas.width / frame.width };
  });

test("the wheel zooms about the pointer, Space pans, and strokes go where one sees them", async () => {
  const { page, close } = await open(browser, "landscape");
  await firstResult(page);
  await page.mouse.move(...(await at(page, 0.25, 0.25)));
  await page.mouse.wheel(0, -400); // nothing has been drawn on it: the page would scroll
  assert.equal((await seen(page)).zoom, 1);
  await page.focus("#sketch-overlay");
  await page.mouse.wheel(0, -500);
  const zoomed = await seen(page);
  assert.ok(zoomed.zoom > 1.5, `${zoomed.zoom}`);
  const share = zoomed.left + 0.25 / zoomed.zoom;
  assert.ok(Math.abs(share - 0.25) < 0.01, "it stays under the pointer");
  await page.keyboard.down(" ");
  await drag(page, [0.5, 0.5], [0.3, 0.4]);
  await page.keyboard.up(" ");
  const panned = await seen(page);
  assert.ok(Math.abs(panned.left - zoomed.left - 0.2 / zoomed.zoom) < 0.01, `${panned.left}`);
  assert.ok(await page.locator("#undo").isDisabled(), "panning draws nothing");
  await chooseClass(page, "tree");
  await page.mouse.click(...(await at(page, 0.5, 0.5)));
  await expectColor(page, panned.left + 0.5 / panned.zoom, panned.top + 0.5 / panned.zoom, colors.tree);
  await page.keyboard.press("0");
  assert.deepEqual(await seen(page), { left: 0, top: 0, zoom: 1 });
  await close();
});

/** Touches as a phone sends them. */
async function fingers(page) {
  const session = await page.context().newCDPSession(page);
  return (type, ...points) => session.send("Input.dispatchTouchEvent", { type, touchPoints: points.map(([x, y], id) => ({ x, y, id })) });
}

test("a pinch zooms and never draws, whichever finger comes first; pen-only leaves fingers to the view", notInFirefox, async () => {
  const { page, close } = await open(browser, "landscape", { device: PHONE });
  await firstResult(page);
  await page.evaluate(() => scrollTo(0, 0));
  const touch = await fingers(page);
  const [a, b] = [await at(page, 0.4, 0.25), await at(page, 0.6, 0.25)];
  await chooseClass(page, "rock");
  for (const tool of ["brush", "polygon", "fill", "mountain", "horizon"]) {
    await page.evaluate((tool) => document.querySelector(`input[name=tool][value=${tool}]`).click(), tool);
    await touch("touchStart", a);
    await touch("touchMove", [a[0] + 3, a[1]]);
    await touch("touchStart", [a[0] + 3, a[1]], b);
    for (let i = 1; i <= 5; i++) await touch("touchMove", [a[0] - 6 * i, a[1]], [b[0] + 6 * i, b[1]]);
    await touch("touchEnd", [b[0] + 30, b[1]]);
    await touch("touchMove", [b[0] + 40, b[1] + 20]);
    await touch("touchEnd");
    assert.ok((await seen(page)).zoom > 1.3, tool);
    assert.ok(await page.locator("#undo").isDisabled(), `${tool} drew`);
    await page.evaluate(() => document.getElementById("zoom-all").click());
    await expectColor(page, 0.4, 0.25, colors.sky);
  }
  await page.evaluate(() => document.querySelector("input[name=tool][value=brush]").click());
  await page.evaluate(() => document.getElementById("pen-only").click());
  await touch("touchStart", a);
  await touch("touchMove", b);
  await touch("touchEnd");
  assert.ok(await page.locator("#undo").isDisabled(), "a finger drew");
  await page.evaluate(() => document.getElementById("pen-only").click());
  await touch("touchStart", a);
  await touch("touchMove", b);
  await touch("touchEnd");
  await expectColor(page, 0.5, 0.25, colors.rock);
  await close();
});

test("horizon, mountain, mirror, smoothing and selection", async () => {
  const { page, close } = await open(browser, "landscape");
  await firstResult(page);
  await page.keyboard.press("h");
  await chooseClass(page, "sand");
  await drag(page, [0.5, 0.9], [0.5, 0.7]);
  await expectColor(page, 0.05, 0.75, colors.sand);
  await expectColor(page, 0.95, 0.6, colors.sea);
  await page.keyboard.press("m");
  await chooseClass(page, "mountain");
  await drag(page, [0.6, 0.5], [0.9, 0.1]);
  await expectColor(page, 0.75, 0.3, colors.mountain);
  await expectColor(page, 0.62, 0.2, colors.sky);
  await page.keyboard.press("s");
  await page.mouse.click(...(await at(page, 0.75, 0.4)));
  await drag(page, [0.75, 0.4], [0.35, 0.4]);
  await expectColor(page, 0.35, 0.3, colors.mountain);
  await expectColor(page, 0.75, 0.3, colors.sky);
  await page.click("[popovertarget=options]");
  await page.check("#mirror");
  await page.check("#smooth");
  await page.keyboard.press("Escape");
  await page.keyboard.press("b");
  await chooseClass(page, "tree");
  await drag(page, [0.1, 0.85], [0.3, 0.85]);
  await expectColor(page, 0.3, 0.85, colors.tree);
  await expectColor(page, 0.8, 0.85, colors.tree);
  for (let i = 0; i < 4; i++) await page.click("#undo");
  await expectColor(page, 0.05, 0.75, colors.sea);
  assert.ok(await page.locator("#undo").isDisabled());
  await close();
});

test("canvases of other shapes and sizes: the landscape has theirs, and undo the way back", async () => {
  const { page, close } = await open(browser, "landscape");
  await firstResult(page);
  await chooseClass(page, "tree");
  await page.mouse.click(...(await at(page, 0.5, 0.25)));
  await page.click("[popovertarget=options]");
  for (const [value, side, sides] of [["1.5", "512", [512, 341]], ["1.7777777777777777", "1024", [1024, 576]], ["0.6666666666666666", "512", [341, 512]]]) {
    await page.selectOption("#side", side);
    const old = await source(page);
    await page.selectOption("#ratio", value);
    await newResult(page, old);
    assert.deepEqual(await page.evaluate(() => [document.getElementById("sketch").width, document.getElementById("sketch").height]), sides);
    await page.waitForFunction((ratio) => Math.abs(document.getElementById("result").naturalWidth / document.getElementById("result").naturalHeight / ratio - 1) < 0.03, sides[0] / sides[1]);
    const shown = await page.locator("#sketch-frame").boundingBox();
    assert.ok(Math.abs(shown.width / shown.height / (sides[0] / sides[1]) - 1) < 0.02);
    await expectColor(page, 0.5, 0.25, colors.tree);
  }
  await page.keyboard.press("Escape");
  while (await page.locator("#undo").isEnabled()) await page.click("#undo");
  assert.equal(await page.evaluate(() => document.getElementById("sketch").height), 512);
  assert.equal(await page.inputValue("#ratio"), "1");
  const wide = await halves(page, colors.grass, colors.sea, 0.5, { width: 300, height: 160 });
  await page.setInputFiles("#upload-sketch", { name: "s.png", mimeType: "image/png", buffer: wide });
  await expectColor(page, 0.1, 0.5, colors.grass);
  assert.equal(await page.inputValue("#ratio"), "own");
  await close();
});

test("one picture large and the other in its corner; swapped; one over the other; drawn on in each", async () => {
  const { page, close } = await open(browser, "landscape");
  await firstResult(page);
  const widths = () => page.evaluate(() => ["sketch-frame", "result-frame"].map((id) => document.getElementById(id).getBoundingClientRect().width));
  await page.keyboard.press("f");
  const [small, large] = await widths();
  assert.ok(large > 2.5 * small && large > 700, `${small}, ${large}`);
  await chooseClass(page, "tree");
  await page.mouse.click(...(await at(page, 0.2, 0.25)));
  await expectColor(page, 0.2, 0.25, colors.tree);
  await page.click("#swap");
  assert.deepEqual((await widths()).map(Math.round), [large, small].map(Math.round));
  await choose(page, "layout", "compare");
  const [under, over] = await widths();
  assert.equal(under, over);
  await page.fill("#compare", "20");
  assert.match(await page.evaluate(() => getComputedStyle(document.getElementById("result-frame")).clipPath), /20%/);
  await page.mouse.click(...(await at(page, 0.8, 0.25)));
  await expectColor(page, 0.8, 0.25, colors.tree);
  assert.deepEqual(await findings(page), []);
  await page.keyboard.press("f");
  assert.equal(await page.locator("body.is-large").count(), 0);
  await close();
});

for (const [name, device] of Object.entries(SCREENS)) {
  test(`sketch and landscape are on the screen together: ${name}`, async () => {
    const { page, close } = await open(browser, "landscape", { device });
    await firstResult(page);
    for (const ratio of ["1", "1.7777777777777777", "0.5625"]) {
      await page.evaluate((ratio) => {
        const select = document.getElementById("ratio");
        select.value = ratio;
        select.dispatchEvent(new Event("change"));
      }, ratio);
      await page.waitForFunction((ratio) => Math.abs(document.getElementById("sketch-frame").offsetWidth / document.getElementById("sketch-frame").offsetHeight - ratio) < 0.05, Number(ratio));
      const { width, height } = device.viewport;
      for (const id of ["sketch-frame", "result-frame"]) {
        const box = await page.locator(`#${id}`).boundingBox();
        assert.ok(box.x >= 0 && box.y >= 0 && box.x + box.width <= width && box.y + box.height <= height, `${id} at ${JSON.stringify(box)} for ${ratio}`);
        assert.ok(Math.max(box.width, box.height) >= (id === "sketch-frame" ? 170 : 110), `${id} is small: ${JSON.stringify(box)}`);
      }
    }
    const chip = await page.locator("#palette label").first().boundingBox();
    assert.ok(chip.y + chip.height <= device.viewport.height, "so is the palette");
    assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), "nothing sticks out");
    await close();
  });
}

test("in the dark, axe has nothing against any page", notInFirefox, async () => {
  for (const name of ["landscape", "text", "lab"]) {
    const { page, close } = await open(browser, name, { device: { ...DESKTOP, colorScheme: "dark" } });
    if (name === "landscape") await firstResult(page);
    const paper = await page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor);
    assert.ok(Math.max(...paper.match(/\d+/g).map(Number)) < 60, paper);
    assert.deepEqual(await findings(page), [], name);
    await close();
  }
});

test("in forced colours the palette keeps its own, and what is chosen shows", async () => {
  const { page, close } = await open(browser, "landscape", { device: { ...DESKTOP, forcedColors: "active" } });
  await firstResult(page);
  await chooseClass(page, "tree");
  const look = (selector) => page.evaluate((selector) => getComputedStyle(document.querySelector(selector)).backgroundColor, selector);
  const hex = (color) => `rgb(${[1, 3, 5].map((from) => parseInt(color.slice(from, from + 2), 16)).join(", ")})`;
  for (const [i, color] of Object.values(colors).entries()) {
    const shown = await page.evaluate((i) => getComputedStyle(document.querySelector(`input[name=class][value="${i}"] + .chip`)).backgroundColor, i);
    assert.equal(shown, hex(color));
  }
  assert.notEqual(await look("#palette label:has(:checked)"), await look("#palette label:not(:has(:checked))"));
  assert.notEqual(await look("#tools label:has(:checked)"), await look("#tools label:not(:has(:checked))"));
  await close();
});

test("a photo that is dropped or pasted is segmented", async () => {
  const { page, close } = await open(browser, "landscape");
  await firstResult(page);
  await chooseClass(page, "sand");
  const photo = readFileSync(new URL("../../docs/examples/landscape.jpg", import.meta.url));
  for (const way of FIREFOX ? ["drop"] : ["drop", "paste"]) { // whose made-up paste events hold no files
    await page.keyboard.press("h");
    await drag(page, [0.5, 0.9], [0.5, 0.2]);
    await expectColor(page, 0.5, 0.8, colors.sand);
    await give(page, way, photo, { name: "photo.jpg", type: "image/jpeg" });
    await expectColor(page, 0.5, 0.8, colors.sky); // all that the fake segmenter sees
  }
  await close();
});

/** What a refused picture looks like, as the page says; its first answer has the focus. */
const question = (page, words) => page.waitForSelector(`.notice-error:has-text("${words}") button:first-of-type:focus`);

test("a map in the colours of others is refused, and read as theirs at a key or a click", async () => {
  const { page, close } = await open(browser, "landscape", { expected: ["422"] });
  await firstResult(page);
  await give(page, "drop", await halves(page, "#04c803", "#ff00ff", 0.4)); // a tree and a building
  await question(page, "ADE20K");
  assert.equal(await colorAt(page, 0.5, 0.8), colors.sea, "nothing is read unasked");
  assert.deepEqual(await findings(page), []);
  await page.keyboard.press("Enter");
  await expectColor(page, 0.1, 0.2, colors.tree);
  await expectColor(page, 0.9, 0.2, colors.building);
  assert.equal(await page.locator(".notice").count(), 0);
  await give(page, "drop", await halves(page, "#9ceedd", "#9ac6da", 0.8)); // GauGAN's sea is near our waterfall
  await question(page, "GauGAN");
  await page.click('.notice button:has-text("GauGAN")');
  await expectColor(page, 0.1, 0.8, colors.sky);
  await expectColor(page, 0.5, 0.8, colors.sea);
  await page.keyboard.press("Control+z");
  await expectColor(page, 0.5, 0.8, colors.tree);
  await close();
});

test("a map of label ids is read in the numbering that is named", async () => {
  const { page, close } = await open(browser, "landscape", { expected: ["422"] });
  await firstResult(page);
  const file = { name: "ids.png", mimeType: "image/png", buffer: readFileSync(new URL("../../docs/examples/lake-ids.png", import.meta.url)) };
  for (const [tabs, left, right] of [[0, "tree", "grass"], [1, "tree", "road"], [4, "building", "building"]]) {
    // the ids 5 and 7: of ours, of ADE20K, and of SIFT Flow, where 7 is a bus and takes the class of what is near
    await page.setInputFiles("#upload-sketch", file);
    await question(page, "label ids");
    for (let i = 0; i < tabs; i++) await page.keyboard.press("Tab");
    await page.keyboard.press("Enter");
    await expectColor(page, 0.5, 0.95, colors[right]); // another each time
    await expectColor(page, 0.02, 0.67, colors[left]);
  }
  await give(page, "drop", await halves(page, "#404040", "#202020", 0.5)); // grey, but no file of greys
  await question(page, "label ids");
  await page.click('.notice button:has-text("Prospero")');
  await page.waitForSelector('.notice-error:has-text("grey or indexed PNG")');
  await expectColor(page, 0.5, 0.95, colors.building);
  await close();
});

test("a blurred sketch that went through a JPEG has no third class along its edges", async () => {
  const { page, close } = await open(browser, "landscape");
  await firstResult(page);
  const seen = () =>
    page.evaluate(() => {
      const canvas = document.getElementById("sketch");
      const pixels = new Uint32Array(canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data.buffer);
      return [...new Set(pixels)].map((pixel) => `#${[0, 8, 16].map((shift) => ((pixel >> shift) & 255).toString(16).padStart(2, "0")).join("")}`);
    });
  for (const [one, other] of [["sky", "sea"], ["sand", "tree"], ["snow", "road"], ["plant", "building"]]) {
    const sketch = await halves(page, colors[one], colors[other], 0.5, { type: "image/jpeg", width: 512, height: 512, blur: 2 });
    await give(page, "drop", sketch, { name: "soft.jpg", type: "image/jpeg" });
    await expectColor(page, 0.1, 0.5, colors[one]);
    await expectColor(page, 0.9, 0.5, colors[other]);
    assert.deepEqual((await seen()).sort(), [colors[one], colors[other]].sort());
  }
  await close();
});

test("a sketch on paper of one colour is taken as it was meant", async () => {
  const { page, close } = await open(browser, "landscape");
  await firstResult(page);
  const drawn = await page.evaluate((color) => {
    const canvas = document.createElement("canvas");
    canvas.width = canvas.height = 300;
    const context = canvas.getContext("2d");
    context.fillStyle = "#fff";
    context.fillRect(0, 0, 300, 300);
    context.fillStyle = color;
    context.beginPath();
    context.arc(150, 150, 40, 0, 7);
    context.fill();
    return canvas.toDataURL("image/jpeg", 0.75).split(",")[1];
  }, colors.grass);
  await give(page, "drop", Buffer.from(drawn, "base64"), { name: "s.jpg", type: "image/jpeg" });
  await expectColor(page, 0.5, 0.5, colors.grass);
  assert.equal(await colorAt(page, 0.05, 0.05), colors.grass);
  assert.ok(await page.locator("#unmatched").isHidden());
  await close();
});

test("the palette is saved for other programs", notInFirefox, async () => {
  const { page, close } = await open(browser, "landscape");
  await firstResult(page);
  for (const [format, begins] of [["gpl", "GIMP Palette"], ["aco", "\0\x01"]]) {
    const [download] = await Promise.all([page.waitForEvent("download"), page.click(`#palette-${format}`)]);
    assert.equal(download.suggestedFilename(), `prospero.${format}`);
    assert.ok(readFileSync(await download.path()).toString("latin1").startsWith(begins));
  }
  await close();
});

test("the restyle button names a class that is in the sketch", async () => {
  const { page, close } = await open(browser, "landscape");
  await firstResult(page);
  await chooseClass(page, "building");
  assert.match(await until(page, "restyle-class", (text) => text !== "building"), /^(sky|sea)$/);
  await page.mouse.click(...(await at(page, 0.5, 0.25)));
  await until(page, "restyle-class", (text) => text === "building");
  await close();
});
