/** What moves and zooms the view, and so never draws: two fingers, the wheel, Space or the middle button with a drag. */

import { inputById } from "../dom.js";

const WHEEL = 0.0015; // of zoom per pixel that the wheel turns
const LINE_PX = 20; // of a wheel that counts in lines

/** @typedef {import("./viewport.js").Point} Point */

export class Gestures {
  /** @type {Map<number, Point>} fingers, as shares of the surface */
  #fingers = new Map();
  #isPinching = false;
  /** @type {{id: number, at: Point} | null} */
  #dragged = null;
  #isSpaceDown = false;
  #hasPanned = false;

  /**
   * @param {HTMLElement} surface
   * @param {import("./viewport.js").Viewport} viewport
   * @param {{abandon: () => void, moved: () => void}} tell abandon: a stroke has turned out to be the first finger of two
   */
  constructor(surface, viewport, tell) {
    this.surface = surface;
    this.viewport = viewport;
    this.tell = tell;
    surface.addEventListener("wheel", (event) => this.#wheel(event), { passive: false });
    window.addEventListener("blur", () => (this.#isSpaceDown = false));
  }

  /** @param {PointerEvent | WheelEvent} event @returns {Point} */
  #share(event) {
    const box = this.surface.getBoundingClientRect();
    return { x: (event.clientX - box.left) / box.width, y: (event.clientY - box.top) / box.height };
  }

  /** @param {PointerEvent} event @returns {boolean} whether it is no business of a tool */
  down(event) {
    if (event.button === 1 || this.#isSpaceDown) {
      event.preventDefault();
      this.surface.setPointerCapture(event.pointerId);
      this.#dragged = { id: event.pointerId, at: this.#share(event) };
      this.#hasPanned = true;
      return true;
    }
    if (event.pointerType !== "touch") return false;
    this.#fingers.set(event.pointerId, this.#share(event));
    if (this.#fingers.size === 1) this.#isPinching = inputById("pen-only").checked;
    else {
      this.#isPinching = true;
      this.tell.abandon();
    }
    if (this.#isPinching) this.surface.setPointerCapture(event.pointerId);
    return this.#isPinching;
  }

  /** @param {PointerEvent} event */
  move(event) {
    const at = this.#share(event);
    if (this.#dragged?.id === event.pointerId) {
      this.viewport.pan(at.x - this.#dragged.at.x, at.y - this.#dragged.at.y);
      this.#dragged.at = at;
      this.tell.moved();
      return true;
    }
    if (!this.#fingers.has(event.pointerId)) return false;
    const before = [...this.#fingers.values()];
    this.#fingers.set(event.pointerId, at);
    if (!this.#isPinching) return false;
    this.viewport.pinch(before, [...this.#fingers.values()]);
    this.tell.moved();
    return true;
  }

  /** @param {PointerEvent} event */
  up(event) {
    const wasDragged = this.#dragged?.id === event.pointerId;
    if (wasDragged) this.#dragged = null;
    return (this.#fingers.delete(event.pointerId) && this.#isPinching) || wasDragged;
  }

  /** Space with a drag pans. @param {boolean} isDown @returns {boolean} whether one that comes up has done so */
  space(isDown) {
    if (isDown && !this.#isSpaceDown) this.#hasPanned = false;
    this.#isSpaceDown = isDown;
    return !isDown && this.#hasPanned;
  }

  /** Zooms where there is something to zoom; else the page scrolls. @param {WheelEvent} event */
  #wheel(event) {
    const isMeant = event.ctrlKey || event.metaKey || document.activeElement === this.surface;
    if (!isMeant || (event.deltaY > 0 && this.viewport.zoom === 1 && !event.ctrlKey)) return;
    event.preventDefault();
    const turned = event.deltaMode === WheelEvent.DOM_DELTA_LINE ? LINE_PX * event.deltaY : event.deltaY;
    this.viewport.zoomAt(this.#share(event), Math.exp(-turned * WHEEL * (event.ctrlKey ? 4 : 1)));
    this.tell.moved();
  }
}
