/** A distribution drawn by hand: points along the pointer's way. */

import { MAX_POINTS } from "./config.js";
import { snapCoordinate } from "./link.js";

/** @typedef {import("./config.js").Point} Point */

const SPACING = 0.03;

export class PointSketch {
  isOpen = false;
  /** @type {Point[]} */
  points = [];
  /** @type {Point | null} */
  #last = null;

  /**
   * @param {HTMLCanvasElement} canvas
   * @param {() => number} view half the width of what the canvas shows
   * @param {() => void} onChange
   */
  constructor(canvas, view, onChange) {
    this.canvas = canvas;
    this.view = view;
    this.onChange = onChange;
    canvas.addEventListener("pointerdown", (event) => {
      if (!this.isOpen) return;
      canvas.setPointerCapture(event.pointerId);
      this.#last = this.#place(event);
      this.#add(this.#last);
    });
    canvas.addEventListener("pointermove", (event) => this.#last && this.#follow(this.#place(event)));
    canvas.addEventListener("pointerup", () => (this.#last = null));
    canvas.addEventListener("pointercancel", () => (this.#last = null));
  }

  /** @param {boolean} isOpen whether the pointer draws */
  open(isOpen) {
    this.isOpen = isOpen;
    this.canvas.classList.toggle("is-drawing", isOpen);
  }

  clear() {
    this.points = [];
    this.onChange();
  }

  /** @param {PointerEvent} event @returns {Point} */
  #place(event) {
    const box = this.canvas.getBoundingClientRect();
    const scale = (2 * this.view()) / box.width;
    return [(event.clientX - box.left) * scale - this.view(), this.view() - (event.clientY - box.top) * scale];
  }

  /** @param {Point} to */
  #follow(to) {
    const from = /** @type {Point} */ (this.#last);
    const length = Math.hypot(to[0] - from[0], to[1] - from[1]);
    const count = Math.floor(length / SPACING);
    if (!count) return;
    for (let i = 1; i <= count; i++) {
      const share = (i * SPACING) / length;
      this.#last = [from[0] + (to[0] - from[0]) * share, from[1] + (to[1] - from[1]) * share];
      this.#add(this.#last);
    }
  }

  /** @param {Point} at */
  #add(at) {
    if (this.points.length >= MAX_POINTS) return;
    this.points.push([snapCoordinate(at[0]), snapCoordinate(at[1])]);
    this.onChange();
  }
}
