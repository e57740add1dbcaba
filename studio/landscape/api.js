/** The landscape endpoints, as this page uses them. */

import { blobOf, call } from "../api.js";

/**
 * @typedef {object} Style
 * @property {number} seed
 * @property {Record<string, number>} classSeeds by class name
 */
/** @typedef {{signal?: AbortSignal, onWait?: (seconds: number) => void} & Record<string, any>} Options */
/** @typedef {{blob: Blob, seed: number, sketch: Blob}} Answer */
/** @typedef {Answer & {content: import("./drawing.js").Content}} Landscape with what it was made of */

/** @param {Style} style @returns {Record<string, string>} */
function fieldsOf({ seed, classSeeds }) {
  const hasSeeds = Object.keys(classSeeds).length > 0;
  return { seed: String(seed), ...(hasSeeds && { class_seeds: JSON.stringify(classSeeds) }) };
}

/**
 * One landscape.
 * @param {Blob} sketch
 * @param {Style} style
 * @param {"jpeg" | "png"} format
 * @param {Options} [options]
 * @returns {Promise<Answer>}
 */
export async function generate(sketch, style, format, { signal, onWait, ...parameters } = {}) {
  const query = new URLSearchParams({ ...fieldsOf(style), format, ...parameters });
  const response = await call(`generate/landscape?${query}`, {
    body: sketch,
    headers: { "Content-Type": sketch.type, Accept: `image/${format}` },
    signal,
    onWait,
  });
  return { blob: await blobOf(response), seed: Number(response.headers.get("x-seed")), sketch };
}

/**
 * Four landscapes of consecutive seeds.
 * @param {Blob} sketch
 * @param {Style} style
 * @param {Options} [options]
 * @returns {Promise<{seed: number, url: string}[]>}
 */
export async function variations(sketch, style, { signal, onWait, ...parameters } = {}) {
  const form = new FormData();
  form.append("sketch", sketch, "sketch.png");
  for (const [name, value] of Object.entries({ ...fieldsOf(style), n: "4", format: "jpeg", ...parameters })) form.append(name, value);
  const response = await call("generate/landscape", { body: form, headers: { Accept: "application/json" }, signal, onWait });
  const { images } = await response.json();
  return images.map((/** @type {any} */ image) => ({ seed: image.seed, url: `data:image/${image.format};base64,${image.base64}` }));
}

/**
 * A photo's label map, in the palette's colours.
 * @param {Blob} photo
 * @param {Options} [waiting]
 * @returns {Promise<Blob>}
 */
export async function segment(photo, waiting = {}) {
  const form = new FormData();
  form.append("photo", photo, "photo");
  form.append("format", "png");
  const response = await call("segment", { body: form, headers: { Accept: "image/png" }, ...waiting });
  return blobOf(response);
}
