// How the tests use the landscape studio: shares of the sketch's sides, classes by name.
import assert from "node:assert/strict";
import { URL_, until } from "./browser.mjs";

const SHOWN_MS = 15_000; // for a frame to come on a busy machine

/** The palette's colours by class name. */
export async function paletteColors() {
  const { classes } = await (await fetch(`${URL_}/palette`)).json();
  return Object.fromEntries(classes.map((one) => [one.name, one.color]));
}

/** The sketch's exact colour at a share of its width and height. */
export const colorAt = (page, x, y) =>
  page.evaluate(([x, y]) => {
    const canvas = document.getElementById("sketch");
    const { data } = canvas.getContext("2d").getImageData(Math.floor(x * canvas.width), Math.floor(y * canvas.height), 1, 1);
    return `#${[...data.subarray(0, 3)].map((value) => value.toString(16).padStart(2, "0")).join("")}`;
  }, [x, y]);

/** The sketch shows what is drawn in its next frame. */
export async function expectColor(page, x, y, color) {
  const ends = Date.now() + SHOWN_MS;
  while ((await colorAt(page, x, y)) !== color && Date.now() < ends) await page.waitForTimeout(20);
  assert.equal(await colorAt(page, x, y), color);
}

export const at = async (page, x, y) => {
  await page.locator("#sketch-overlay").scrollIntoViewIfNeeded();
  const box = await page.locator("#sketch-overlay").boundingBox();
  return [box.x + x * box.width, box.y + y * box.height];
};

export async function drag(page, ...points) {
  await page.mouse.move(...(await at(page, ...points[0])));
  await page.mouse.down();
  for (const point of points.slice(1)) await page.mouse.move(...(await at(page, ...point)), { steps: 6 });
  await page.mouse.up();
}

export const choose = (page, name, value) => page.locator(`label:has(> input[name="${name}"][value="${value}"])`).click();
export const chooseClass = (page, name) => page.locator("#palette label", { hasText: new RegExp(`^${name}$`, "i") }).click();
export const firstResult = (page) => until(page, "latency", (text) => text.endsWith(" ms"));
export const source = (page) => page.locator("#result").getAttribute("src");

export async function newResult(page, old) {
  await page.waitForFunction((old) => document.getElementById("result").getAttribute("src") !== old, old);
  await page.waitForFunction(() => document.getElementById("result").naturalWidth > 0);
}

/** A picture of two halves, as a browser makes it; blurred by so many pixels, and as JPEG of quality 0.75. */
export const halves = async (page, left, right, share, { type = "image/png", width = 200, height = 200, blur = 0 } = {}) =>
  Buffer.from(
    await page.evaluate(([left, right, share, type, width, height, blur]) => {
      const canvas = document.createElement("canvas");
      [canvas.width, canvas.height] = [width, height];
      const context = canvas.getContext("2d");
      context.fillStyle = left;
      context.fillRect(0, 0, width, height);
      context.fillStyle = right;
      context.fillRect(width * (1 - share), 0, width * share, height);
      context.filter = `blur(${blur}px)`;
      if (blur) context.drawImage(canvas, 0, 0);
      return canvas.toDataURL(type, 0.75).split(",")[1];
    }, [left, right, share, type, width, height, blur]),
    "base64",
  );

/** Drop or paste a file, as the browser's events do. */
export const give = (page, kind, buffer, { name = "picture.png", type = "image/png" } = {}) =>
  page.evaluate(([kind, text, name, type]) => {
    const transfer = new DataTransfer();
    transfer.items.add(new File([Uint8Array.from(atob(text), (one) => one.charCodeAt(0))], name, { type }));
    const place = kind === "paste" ? document : document.getElementById("sketch-frame");
    const event = kind === "paste" ? new ClipboardEvent("paste", { clipboardData: transfer, bubbles: true }) : new DragEvent("drop", { dataTransfer: transfer, bubbles: true });
    place.dispatchEvent(event);
  }, [kind, buffer.toString("base64"), name, type]);
