/** Puts a label map on its canvas, in the palette's exact colours, and what hovers over it on another. */

import { parseHex } from "./color.js";
import { LabelMap } from "./label_map.js";
import { sidesOf, stretch } from "./stretch.js";
import { Viewport } from "./viewport.js";

/** @typedef {{x: number, y: number}} Point */

export class View {
  /**
   * @param {HTMLCanvasElement} canvas
   * @param {HTMLCanvasElement} overlay
   * @param {LabelMap} map
   * @param {string[]} colors by class id
   */
  constructor(canvas, overlay, map, colors) {
    this.map = map;
    this.canvas = canvas;
    this.context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
    this.overlay = overlay;
    this.table = Uint32Array.from(colors, (color) => {
      const [r, g, b] = parseHex(color);
      return new Uint32Array(Uint8Array.of(r, g, b, 255).buffer)[0];
    });
    this.viewport = new Viewport(map);
    this.scheduled = false;
    this.#fit();
  }

  /** Show, in the next frame, what has changed. */
  refresh() {
    if (this.scheduled) return;
    this.scheduled = true;
    requestAnimationFrame(() => {
      this.scheduled = false;
      this.paint();
    });
  }

  paint() {
    const dirty = this.map.takeDirty();
    if (!dirty) return;
    const { data, width, height } = this.map;
    if (this.canvas.width !== width || this.canvas.height !== height) this.#fit();
    for (let y = dirty.top; y < dirty.bottom; y++) {
      for (let at = y * width + dirty.left; at < y * width + dirty.right; at++) this.pixels[at] = this.table[data[at]];
    }
    const { left, top, right, bottom } = dirty;
    this.context.putImageData(this.image, 0, 0, left, top, right - left, bottom - top);
  }

  /** Take the map's size. */
  #fit() {
    [this.canvas.width, this.canvas.height] = [this.map.width, this.map.height];
    this.image = this.context.createImageData(this.map.width, this.map.height);
    this.pixels = new Uint32Array(this.image.data.buffer);
    this.viewport.reset();
    this.frame();
  }

  /** Show the part that the viewport names. */
  frame() {
    const { zoom, corner } = this.viewport;
    const share = (/** @type {number} */ at, /** @type {number} */ length) => `${(-100 * zoom * at) / length}%`;
    this.canvas.style.transform = `translate(${share(corner.x, this.map.width)}, ${share(corner.y, this.map.height)}) scale(${zoom})`;
    this.canvas.classList.toggle("is-zoomed", zoom > 1);
  }

  /**
   * Draw over the sketch, in its coordinates; nothing for a clean overlay.
   * @param {((context: CanvasRenderingContext2D, pixel: number) => void) | null} draw given the size of a screen pixel
   */
  hover(draw) {
    const width = Math.round(this.overlay.clientWidth * devicePixelRatio);
    const height = Math.round(this.overlay.clientHeight * devicePixelRatio);
    if (this.overlay.width !== width || this.overlay.height !== height) [this.overlay.width, this.overlay.height] = [width, height];
    const context = /** @type {CanvasRenderingContext2D} */ (this.overlay.getContext("2d"));
    const { zoom, corner } = this.viewport;
    const scale = (zoom * width) / this.map.width;
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, width, height);
    if (!draw) return;
    context.setTransform(scale, 0, 0, scale, scale * (0.5 - corner.x), scale * (0.5 - corner.y)); // a pixel's coordinates are its centre's
    draw(context, devicePixelRatio / scale);
  }
}

/**
 * A small picture of a label map.
 * @param {import("./label_map.js").LabelMap} map
 * @param {string[]} colors
 * @param {number} longer side, in pixels
 */
export function thumbnail(map, colors, longer) {
  const { width, height, data } = stretch(map, ...sidesOf(map.width / map.height, longer));
  const canvas = document.createElement("canvas");
  canvas.setAttribute("aria-hidden", "true");
  new View(canvas, canvas, new LabelMap(width, height, data), colors).paint();
  return canvas;
}

/**
 * Outline the current path so that it shows on any colour.
 * @param {CanvasRenderingContext2D} context
 * @param {number} pixel
 */
export function outline(context, pixel) {
  context.lineWidth = 3 * pixel;
  context.strokeStyle = "rgb(255 255 255 / 0.9)";
  context.stroke();
  context.lineWidth = 1.25 * pixel;
  context.strokeStyle = "rgb(20 24 32 / 0.9)";
  context.stroke();
}
