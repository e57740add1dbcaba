/** What comes in: sketches, photos and pictures saved here, by button, drop, paste or link. */

import { describe, isPassing } from "../api.js";
import { byId, inputById } from "../dom.js";
import { dismiss, notify } from "../notice.js";
import { generate, segment } from "./api.js";
import { ColorTable } from "./color.js";
import { otherReadings } from "./foreign.js";
import { bitmapOf, pixelsOf, shapeWithin, smaller } from "./image_file.js";
import { KEYWORD, parseJson, unpack } from "./portable.js";
import { readText } from "./png.js";
import { readSketch } from "./read_sketch.js";
import { decode, encode } from "./runs.js";
import { sidesOf, stretch } from "./stretch.js";

const MAX_UNMATCHED = 0.5;
const MAX_RATIO = 2; // of a sketch's sides, as the server takes it
const PHOTO_SIDE = 1024; // of what is sent to be segmented; the model's map is far smaller
const NO_STYLE = { seed: 0, classSeeds: {} };

/** @typedef {import("./drawing.js").Content} Content */
/** @typedef {import("./label_map.js").Picture} Picture */
/** @typedef {"sketch" | "photo" | "either"} Reading */

export class Intake {
  #canSegment = true;

  /**
   * @param {import("./palette.js").Palette} palette
   * @param {() => number} side of the canvas, the longer one
   * @param {{picture: (picture: Picture, unmatched: number) => void, content: (content: Content) => void}} take
   */
  constructor(palette, side, take) {
    this.palette = palette;
    this.side = side;
    this.take = take;
    this.table = new ColorTable(palette.taken);
    this.#input("upload-sketch", "sketch");
    this.#input("upload-photo", "photo");
    this.#drop(byId("sketch-frame"));
  }

  /** @param {boolean} canSegment whether the server has a segmenter */
  allowPhotos(canSegment) {
    this.#canSegment = canSegment;
    inputById("upload-photo").disabled = !canSegment;
    byId("photo-label").classList.toggle("is-off", !canSegment);
    byId("photo-note").hidden = canSegment;
  }

  /** A picture that was pasted. @param {ClipboardEvent} event */
  paste(event) {
    const file = event.clipboardData?.files[0];
    if (!file) return;
    event.preventDefault();
    this.#read(file, "either");
  }

  /** @param {string} id @param {Reading} reading */
  #input(id, reading) {
    const input = inputById(id);
    input.addEventListener("change", async () => {
      const file = input.files?.[0];
      input.value = ""; // the same file may come again
      if (file) await this.#read(file, reading);
    });
  }

  /** @param {HTMLElement} place */
  #drop(place) {
    place.addEventListener("dragover", (event) => event.preventDefault());
    place.addEventListener("drop", (event) => {
      event.preventDefault();
      const file = event.dataTransfer?.files[0];
      if (file) this.#read(file, "either");
    });
  }

  /** @param {File} file @param {Reading} reading */
  async #read(file, reading) {
    dismiss("reading");
    try {
      const content = await this.#carried(file);
      if (content) this.take.content(content);
      else if (reading === "photo") await this.#photo(file);
      else await this.#sketch(file, reading === "either");
    } catch (error) {
      this.#refuse(error, file);
    }
  }

  /** Says why, or asks whether it shall be read as what it looks like. @param {unknown} error @param {File} file */
  #refuse(error, file) {
    const others = otherReadings(error);
    if (!others) return notify(describe(error), { kind: "error" });
    const actions = others.readings.map(([label, parameters]) => ({
      label,
      run: () => this.#foreign(file, parameters).catch((error) => this.#refuse(error, file)),
    }));
    notify(others.text, { id: "reading", kind: "error", actions });
  }

  /** The server reads it: what it paints carries the map. @param {File} file @param {import("./foreign.js").Parameters} parameters */
  async #foreign(file, parameters) {
    const sketch = parameters.labels ? file : await smaller(await bitmapOf(file), this.side(), "image/png");
    const { blob } = await generate(sketch, NO_STYLE, "png", { ...parameters, metadata: true });
    const text = readText(new Uint8Array(await blob.arrayBuffer()), KEYWORD);
    const { picture } = await unpack(parseJson(text), this.palette.names);
    this.take.picture(enlarged(decode(picture.runs), picture, this.side()), 0);
  }

  /** What a picture that was saved here carries. @param {File} file */
  async #carried(file) {
    const text = readText(new Uint8Array(await file.arrayBuffer()), KEYWORD);
    if (text === null) return null;
    try {
      return await unpack(parseJson(text), this.palette.names);
    } catch (error) {
      notify(`What this picture carries can't be used: ${describe(error)}. It is read as any other.`);
      return null;
    }
  }

  /** @param {File} file @param {boolean} mayBePhoto */
  async #sketch(file, mayBePhoto) {
    const bitmap = await bitmapOf(file).catch((error) => (mayBePhoto ? this.#photo(file) : Promise.reject(error)));
    if (!bitmap) return;
    const shape = shapeWithin(bitmap, this.side());
    const reading = readSketch(pixelsOf(bitmap, shape), shape.width, shape.height, this.table);
    if (mayBePhoto && reading.isPhoto && this.#canSegment) return this.#photo(file, bitmap);
    if (Math.max(bitmap.width, bitmap.height) > MAX_RATIO * Math.min(bitmap.width, bitmap.height)) {
      throw new Error(`this picture is ${bitmap.width} × ${bitmap.height} pixels; a sketch is at most twice as long as it is wide`);
    }
    if (!reading.isExact) await check(await smaller(bitmap, this.side(), "image/png"));
    if (reading.unmatched > MAX_UNMATCHED) throw new Error("over half of this picture is in no colour of the palette");
    this.take.picture(enlarged(reading.data, shape, this.side()), reading.unmatched);
  }

  /** The server can't read all that the browser can, nor needs it so many pixels. @param {File} file @param {ImageBitmap} [bitmap] */
  async #photo(file, bitmap) {
    const decoded = bitmap ?? (await bitmapOf(file).catch(() => null));
    const labels = await bitmapOf(await segment(decoded ? await smaller(decoded, PHOTO_SIDE, "image/jpeg") : file));
    const shape = shapeWithin(labels, this.side());
    const { data } = readSketch(pixelsOf(labels, shape), shape.width, shape.height, this.table);
    this.take.picture(enlarged(data, shape, this.side()), 0);
  }
}

/** The server knows the palettes of others. @param {Blob} sketch */
async function check(sketch) {
  try {
    await generate(sketch, NO_STYLE, "jpeg", { background: "ignore" });
  } catch (error) {
    if (!isPassing(error)) throw error;
  }
}

/**
 * Stretched to the canvas's size.
 * @param {Uint8Array} data
 * @param {{width: number, height: number}} shape
 * @param {number} longer
 * @returns {Picture}
 */
function enlarged(data, shape, longer) {
  const [width, height] = sidesOf(shape.width / shape.height, longer);
  return { width, height, runs: encode(stretch({ ...shape, data }, width, height).data) };
}
