/** A drawing as plain data: in links, and in the pictures that carry what they were made of. Anybody may write these. */

import { parseSeed } from "../seed.js";
import { decode, encode } from "./runs.js";
import { through } from "./zlib.js";

export const KEYWORD = "Prospero"; // of the text in a PNG
export const MAX_CELLS = 1 << 20; // of a label map: what may come out of its compression, in bytes
const MIN_SIDE = 16;
const MAX_RATIO = 2;
const MAX_NAME = 80;

/** @typedef {import("./drawing.js").Content} Content */
/**
 * @typedef {object} Portable as JSON
 * @property {string} [name]
 * @property {number} seed
 * @property {Record<string, number>} class_seeds
 * @property {number} width
 * @property {number} height
 * @property {string} labels class ids row by row, deflated (zlib), in base64
 */

/** @param {Content} content @returns {Promise<Portable>} */
export async function pack({ name, picture, style }) {
  const labels = toBase64(await through(decode(picture.runs), new CompressionStream("deflate")));
  const { width, height } = picture;
  return { ...(name && { name }), seed: style.seed, class_seeds: style.classSeeds, width, height, labels };
}

/**
 * @param {any} given
 * @param {string[]} classes names in the order of the ids
 * @returns {Promise<Content>}
 * @throws {Error} for what is no drawing, with the reason
 */
export async function unpack(given, classes) {
  if (typeof given !== "object" || given === null) throw new Error("it holds no drawing");
  const { width, height } = given;
  for (const side of [width, height]) if (!Number.isInteger(side) || side < MIN_SIDE) throw new Error("its size is wrong");
  if (width * height > MAX_CELLS) throw new Error("its drawing is too large");
  if (Math.max(width, height) > MAX_RATIO * Math.min(width, height)) throw new Error("its drawing is too long");
  const data = await inflate(given.labels, width * height);
  if (data.some((id) => id >= classes.length)) throw new Error("it has a class that this palette lacks");
  return {
    name: typeof given.name === "string" ? cleanName(given.name) : "",
    picture: { width, height, runs: encode(data) },
    style: { seed: seedOf(given.seed), classSeeds: classSeedsOf(given.class_seeds, classes) },
  };
}

/** @param {string} name */
export const cleanName = (name) => name.replace(/\s+/g, " ").trim().slice(0, MAX_NAME);

/** @param {Content} content @returns {Promise<string>} the fragment of an address */
export async function toLink(content) {
  const { labels, class_seeds, ...rest } = await pack(content);
  const query = new URLSearchParams(Object.entries(rest).map(([key, value]) => [key, String(value)]));
  if (Object.keys(class_seeds).length) query.set("class_seeds", JSON.stringify(class_seeds));
  query.set("labels", labels.replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", ""));
  return `#landscape?${query}`;
}

/**
 * @param {string} text the query in a link's fragment
 * @param {string[]} classes
 * @returns {Promise<Content | null>} null if it names no drawing
 * @throws {Error} if it does, and there is something wrong with it
 */
export async function fromLink(text, classes) {
  const query = new URLSearchParams(text);
  if (!query.has("labels")) return null;
  const { width, height, ...rest } = Object.fromEntries(query);
  return unpack({ ...rest, width: Number(width), height: Number(height), class_seeds: parseJson(rest.class_seeds) }, classes);
}

/** As JSON in ASCII, as a PNG's text must be. @param {object} value */
export const toAscii = (value) => JSON.stringify(value).replace(/[\u0080-\uffff]/g, (one) => `\\u${one.charCodeAt(0).toString(16).padStart(4, "0")}`);

/** @param {string | null | undefined} text @returns {any} null for what is no JSON */
export function parseJson(text) {
  try {
    return JSON.parse(text ?? "null");
  } catch {
    return null;
  }
}

/** @param {unknown} value */
function seedOf(value) {
  const seed = parseSeed(String(value));
  if (seed === null) throw new Error("its seed is wrong");
  return seed;
}

/** @param {any} value @param {string[]} classes */
function classSeedsOf(value, classes) {
  const known = Object.entries(value ?? {}).filter(([name]) => classes.includes(name));
  return Object.fromEntries(known.map(([name, seed]) => [name, seedOf(seed)]));
}

/** @param {unknown} text @param {number} length in bytes, exactly */
async function inflate(text, length) {
  try {
    if (typeof text !== "string" || text.length > 2 * MAX_CELLS) throw new Error();
    const data = await through(fromBase64(text), new DecompressionStream("deflate"), length);
    if (data.length === length) return data;
  } catch {
    // not base64, damaged, or more than it says: the same to whoever opens it
  }
  throw new Error("its drawing is damaged");
}

/** @param {Uint8Array} bytes */
function toBase64(bytes) {
  let text = "";
  for (let at = 0; at < bytes.length; at += 4096) text += String.fromCharCode(...bytes.subarray(at, at + 4096));
  return btoa(text);
}

/** @param {string} text of either alphabet */
function fromBase64(text) {
  return Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (one) => one.charCodeAt(0));
}
