/** Puts the drawing on its canvas, in the palette's exact colours, and what hovers over it on another. */

import { parseHex } from "./color.js";

/** @typedef {import("./drawing.js").Drawing} Drawing */
/** @typedef {{x: number, y: number}} Point */

export class View {
  /**
   * @param {HTMLCanvasElement} canvas
   * @param {HTMLCanvasElement} overlay
   * @param {Drawing} drawing
   * @param {string[]} colors by class id
   */
  constructor(canvas, overlay, drawing, colors) {
    this.drawing = drawing;
    canvas.width = canvas.height = drawing.size;
    this.context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
    this.overlay = overlay;
    this.image = this.context.createImageData(drawing.size, drawing.size);
    this.pixels = new Uint32Array(this.image.data.buffer);
    this.table = Uint32Array.from(colors, (color) => {
      const [r, g, b] = parseHex(color);
      return new Uint32Array(Uint8Array.of(r, g, b, 255).buffer)[0];
    });
    this.scheduled = false;
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
    const dirty = this.drawing.takeDirty();
    if (!dirty) return;
    const { data, size } = this.drawing;
    for (let y = dirty.top; y < dirty.bottom; y++) {
      for (let at = y * size + dirty.left; at < y * size + dirty.right; at++) this.pixels[at] = this.table[data[at]];
    }
    const { left, top, right, bottom } = dirty;
    this.context.putImageData(this.image, 0, 0, left, top, right - left, bottom - top);
  }

  /**
   * Draw over the sketch, in its coordinates; nothing for a clean overlay.
   * @param {((context: CanvasRenderingContext2D, pixel: number) => void) | null} draw given the size of a screen pixel
   */
  hover(draw) {
    const width = Math.round(this.overlay.clientWidth * devicePixelRatio);
    if (this.overlay.width !== width) this.overlay.width = this.overlay.height = width;
    const context = /** @type {CanvasRenderingContext2D} */ (this.overlay.getContext("2d"));
    const scale = width / this.drawing.size;
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, width, width);
    if (!draw) return;
    context.setTransform(scale, 0, 0, scale, scale / 2, scale / 2); // a pixel's coordinates are its centre's
    draw(context, devicePixelRatio / scale);
  }
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
