/** Pictures in and out: examples, uploaded sketches, photos; the sketch, its label map and its landscape as files. */

import { describe } from "../api.js";
import { buttonById, byId, canvasById, inputById, make, saveAs } from "../dom.js";
import { notify } from "../notice.js";
import { generate, segment } from "./api.js";
import { snapPixels, snapper } from "./color.js";
import { EXAMPLES, drawExample } from "./examples.js";
import { pixelsOf } from "./image_file.js";
import { encodeIndexed } from "./png.js";
import { View } from "./view.js";
import { Drawing } from "./drawing.js";

const THUMB = 128;

/**
 * @typedef {object} Studio
 * @property {(answer: import("./api.js").Landscape, milliseconds: number) => void} result
 * @property {() => import("./api.js").Style} style
 * @property {() => void} hold no request for the sketch on the canvas now
 */

export class Exchange {
  /**
   * @param {import("./palette.js").Palette} palette
   * @param {Drawing} drawing
   * @param {(data: Uint8Array) => void} replace
   * @param {Studio} studio
   */
  constructor(palette, drawing, replace, studio) {
    this.palette = palette;
    this.drawing = drawing;
    this.replace = replace;
    this.studio = studio;
    this.snap = snapper(palette.taken);
    this.#file("upload-sketch", (file) => this.#takeSketch(file));
    this.#file("upload-photo", (file) => this.#takePhoto(file));
    buttonById("save-sketch").addEventListener("click", () => {
      canvasById("sketch").toBlob((blob) => blob && saveAs(blob, "sketch.png"));
    });
    buttonById("save-labels").addEventListener("click", async () => saveAs(await this.#labels(), "label-map.png"));
    this.#drop(byId("sketch-frame"));
  }

  /** @param {boolean} areAllowed whether the server has a segmenter */
  allowPhotos(areAllowed) {
    inputById("upload-photo").disabled = !areAllowed;
    byId("photo-label").classList.toggle("is-off", !areAllowed);
    byId("photo-note").hidden = areAllowed;
  }

  #labels() {
    return encodeIndexed(this.drawing.data, this.drawing.size, this.palette.colors);
  }

  /** The server reads the file itself; the canvas gets what it can be drawn on with. @param {File} file */
  async #takeSketch(file) {
    const pixels = await pixelsOf(file, this.drawing.size);
    const { data, unmatched } = snapPixels(pixels, this.drawing.size, this.snap);
    if (unmatched <= 0.5) {
      this.replace(data);
      this.studio.hold();
    }
    const began = performance.now();
    const answer = await generate(file, this.studio.style(), "jpeg");
    this.studio.result(answer, performance.now() - began);
  }

  /** @param {File} file */
  async #takePhoto(file) {
    const labels = await segment(file);
    const { data } = snapPixels(await pixelsOf(labels, this.drawing.size), this.drawing.size, this.snap);
    this.replace(data);
  }

  /** @param {string} id @param {(file: File) => Promise<void>} take */
  #file(id, take) {
    const input = inputById(id);
    input.addEventListener("change", async () => {
      const file = input.files?.[0];
      input.value = ""; // the same file may come again
      if (file) await attempt(() => take(file));
    });
  }

  /** A sketch may be dropped onto the canvas, too. @param {HTMLElement} place */
  #drop(place) {
    place.addEventListener("dragover", (event) => event.preventDefault());
    place.addEventListener("drop", (event) => {
      event.preventDefault();
      const file = event.dataTransfer?.files[0];
      if (file) attempt(() => this.#takeSketch(file));
    });
  }
}

/** Without loss: the same request once more, as a PNG. @param {import("./api.js").Landscape} shown */
export async function saveLandscape(shown) {
  const { blob } = await generate(shown.sketch, shown.style, "png");
  saveAs(blob, `landscape-${shown.seed}.png`);
}

/** @param {() => Promise<void>} take */
async function attempt(take) {
  try {
    await take();
  } catch (error) {
    notify(describe(error), { kind: "error" });
  }
}

/**
 * @param {import("./palette.js").Palette} palette
 * @param {(example: import("./examples.js").Example) => void} choose
 */
export function showExamples(palette, choose) {
  const items = EXAMPLES.map((example) => {
    const canvas = /** @type {HTMLCanvasElement} */ (make("canvas", { "aria-hidden": "true" }));
    const small = new Drawing(THUMB);
    const view = new View(canvas, canvas, small, palette.colors);
    small.replace(drawExample(example, THUMB, palette.ids));
    view.paint();
    const button = make("button", { type: "button", class: "thumb" }, canvas, make("span", { text: example.name }));
    button.addEventListener("click", () => choose(example));
    return make("li", {}, button);
  });
  byId("examples").replaceChildren(...items);
}
