/** The canvas as something to draw on: mouse, touch, pen and arrow keys reach the tool that is chosen. */

import { checkedValue, inputById } from "../dom.js";
import { halfWidths } from "./brush.js";
import { Gestures } from "./gestures.js";
import { outline } from "./view.js";

/** @typedef {import("./viewport.js").Point} Point */
/** @typedef {import("./tools.js").Tool} Tool */

const STEP = 8; // of the arrow keys, in pixels of the sketch
const ARROWS = new Map([
  ["ArrowLeft", [-1, 0]],
  ["ArrowRight", [1, 0]],
  ["ArrowUp", [0, -1]],
  ["ArrowDown", [0, 1]],
]);

export class CanvasInput {
  /** @type {number | null} the pointer that draws; others are ignored */
  #pointer = null;
  /** @type {Point | null} where the brush's outline is */
  #at = null;
  /** @type {Tool | null} what the pointer that is down uses */
  #using = null;

  /**
   * @param {HTMLCanvasElement} surface the top canvas, which takes the events
   * @param {import("./view.js").View} view
   * @param {Record<string, Tool>} tools
   * @param {import("./tools.js").Bench} bench
   */
  constructor(surface, view, tools, bench) {
    this.surface = surface;
    this.view = view;
    this.tools = tools;
    this.bench = bench;
    this.gestures = new Gestures(surface, view.viewport, { abandon: () => this.#abandon(), moved: () => this.#moved() });
    surface.addEventListener("pointerdown", (event) => this.#down(event));
    surface.addEventListener("pointermove", (event) => this.#move(event));
    surface.addEventListener("pointerup", (event) => this.#up(event));
    surface.addEventListener("pointercancel", (event) => this.gestures.up(event) || this.cancel());
    surface.addEventListener("pointerleave", () => this.#hover(null));
    surface.addEventListener("blur", () => this.#hover(null));
    surface.addEventListener("contextmenu", (event) => event.preventDefault());
    surface.addEventListener("keydown", (event) => this.#key(event));
    surface.addEventListener("keyup", (event) => this.#keyUp(event));
  }

  get tool() {
    return this.tools[checkedValue("tool")] ?? this.tools.brush;
  }

  /** Give up what is being drawn. */
  cancel() {
    for (const tool of Object.values(this.tools)) tool.cancel();
    this.#pointer = this.#using = null;
    this.show();
  }

  /** The stroke that is being drawn was none. */
  #abandon() {
    const tool = this.#using;
    this.#pointer = this.#using = null;
    if (tool?.abandon) tool.abandon();
    else tool?.cancel();
    this.#hover(null);
  }

  /** The view has been zoomed or panned. */
  #moved() {
    this.view.frame();
    this.show();
  }

  /** Zoom about the middle; by 0, all of the map. @param {number} factor */
  zoom(factor) {
    if (factor) this.view.viewport.zoomAt({ x: 0.5, y: 0.5 }, factor);
    else this.view.viewport.reset();
    this.#moved();
  }

  /** Draw the overlay anew. */
  show() {
    const tool = this.#using ?? this.tool;
    this.view.hover((context, pixel) => {
      tool.draw?.(context, pixel);
      if (this.#at) this.#drawCursor(context, pixel, this.#at);
    });
  }

  /** @param {PointerEvent} event @returns {Point} */
  #place(event) {
    const box = this.surface.getBoundingClientRect();
    const { x, y } = this.view.viewport.toMap({ x: (event.clientX - box.left) / box.width, y: (event.clientY - box.top) / box.height });
    return { x: Math.floor(x), y: Math.floor(y) };
  }

  /** @param {PointerEvent} event @returns {import("./tools.js").Modifiers} */
  #modifiers(event) {
    const isPen = event.pointerType === "pen" && inputById("pressure").checked;
    return { shiftKey: event.shiftKey, scale: isPen ? 0.15 + 0.85 * event.pressure : 1 };
  }

  /** @param {PointerEvent} event */
  #down(event) {
    if (this.gestures.down(event) || this.#pointer !== null || event.button > 2) return;
    event.preventDefault();
    this.surface.focus({ preventScroll: true });
    const picks = event.button === 2 || event.altKey;
    this.#using = picks ? this.tools.pick : this.tool;
    this.#pointer = event.pointerId;
    this.surface.setPointerCapture(event.pointerId);
    this.#using.down(this.#place(event), this.#modifiers(event));
    this.#hover(event);
  }

  /** @param {PointerEvent} event */
  #move(event) {
    if (this.gestures.move(event)) return this.#hover(null);
    if (this.#pointer === null) this.tool.hover?.(this.#place(event));
    else if (this.#pointer === event.pointerId) {
      const passed = event.getCoalescedEvents?.() ?? [];
      for (const one of passed.length ? passed : [event]) this.#using?.move(this.#place(one), this.#modifiers(one));
    }
    this.#hover(event);
  }

  /** @param {PointerEvent} event */
  #up(event) {
    if (this.gestures.up(event) || this.#pointer !== event.pointerId) return;
    this.#using?.up(this.#place(event), this.#modifiers(event));
    this.#pointer = this.#using = null;
    this.#hover(event.pointerType === "touch" ? null : event);
  }

  /** @param {PointerEvent | null} event */
  #hover(event) {
    this.#at = event && this.#place(event);
    this.show();
  }

  /** Arrow keys move, Space uses the tool, Enter finishes a polygon. @param {KeyboardEvent} event */
  #key(event) {
    const arrow = ARROWS.get(event.key);
    const { width, height } = this.view.map;
    this.#at ??= arrow || event.key === " " ? { x: Math.floor(width / 2), y: Math.floor(height / 2) } : null;
    const modifiers = { shiftKey: false, scale: 1 };
    if (arrow && this.#at) {
      const step = event.shiftKey ? 4 * STEP : STEP;
      const clip = (/** @type {number} */ value, /** @type {number} */ length) => Math.max(0, Math.min(length - 1, value));
      this.#at = { x: clip(this.#at.x + arrow[0] * step, width), y: clip(this.#at.y + arrow[1] * step, height) };
      if (this.#pointer === -1) this.tool.move(this.#at, modifiers);
      else this.tool.hover?.(this.#at);
    } else if (event.key === " ") this.gestures.space(true);
    else if (event.key === "Escape") this.cancel();
    else if (!(event.key === "Enter" && this.tool.finish?.())) return;
    event.preventDefault();
    this.show();
  }

  /** Space acts when it comes up: with a drag in between it has panned. @param {KeyboardEvent} event */
  #keyUp(event) {
    if (event.key !== " " || this.gestures.space(false) || !this.#at) return;
    this.#press(this.#at, { shiftKey: event.shiftKey, scale: 1 });
    this.show();
  }

  /** Space: a stamp, a click, or one end of a drag. @param {Point} at @param {import("./tools.js").Modifiers} modifiers */
  #press(at, modifiers) {
    const isHeld = this.#pointer === -1;
    const holds = !isHeld && this.tool.holds?.(at);
    if (!isHeld) this.tool.down(at, modifiers);
    if (!holds) this.tool.up(at, modifiers);
    this.#pointer = holds ? -1 : null;
  }

  /** @param {CanvasRenderingContext2D} context @param {number} pixel @param {Point} at */
  #drawCursor(context, pixel, at) {
    const tool = checkedValue("tool");
    context.beginPath();
    if (tool === "brush" || tool === "line") {
      const rows = halfWidths(this.bench.shape(), this.bench.size());
      const radius = (rows.length - 1) / 2;
      if (this.bench.shape() === "round") context.arc(at.x, at.y, radius + 0.5, 0, 2 * Math.PI);
      else if (this.bench.shape() === "square") context.rect(at.x - radius - 0.5, at.y - radius - 0.5, rows.length, rows.length);
      else for (const [x, y] of [[0, -1], [1, 0], [0, 1], [-1, 0], [0, -1]]) context.lineTo(at.x + x * (radius + 0.5), at.y + y * (radius + 0.5));
    } else {
      for (const [x, y] of [[1, 0], [-1, 0], [0, 1], [0, -1]]) {
        context.moveTo(at.x + x * 3 * pixel, at.y + y * 3 * pixel);
        context.lineTo(at.x + x * 10 * pixel, at.y + y * 10 * pixel);
      }
    }
    outline(context, pixel);
  }
}
