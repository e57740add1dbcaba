/** The tools as they lie: which one, its size and shape, and the class to draw with; kept with each drawing. */

import { byId, check, checkedValue, inputById } from "../dom.js";

/** @typedef {import("./store.js").Desk} Desk */

const SHAPES = ["round", "square", "diamond"];

/** @type {Record<string, string>} */
const HINTS = {
  brush: "Shift-click draws a straight line from the last stroke.",
  line: "Drag; hold Shift for the eight directions.",
  polygon: "Click the corners; close it at the first one, or with Enter. Esc gives it up.",
  fill: "Click an area to give it another class.",
  pick: "Click to take a class from the sketch; right-click does it with any tool.",
};

export class DeskView {
  /**
   * @param {import("./palette.js").Palette} palette
   * @param {{tool: () => void, brush: () => void}} changed another tool; another size or shape of the brush
   */
  constructor(palette, changed) {
    this.palette = palette;
    this.changed = changed;
    inputById("brush-size").addEventListener("input", () => this.#showBrush());
    for (const shape of document.querySelectorAll("input[name=shape]")) shape.addEventListener("change", () => this.#showBrush());
    for (const tool of document.querySelectorAll("input[name=tool]")) tool.addEventListener("change", () => this.#showTool());
  }

  get tool() {
    return checkedValue("tool");
  }

  get shape() {
    return /** @type {import("./brush.js").Shape} */ (checkedValue("shape"));
  }

  get size() {
    return inputById("brush-size").valueAsNumber;
  }

  /** @returns {Desk} */
  get state() {
    const { tool, shape, size } = this;
    return { tool, shape, size, class: this.palette.selected.name };
  }

  /** @param {Desk} state */
  set state({ tool, shape, size, class: name }) {
    check("tool", String(tool));
    check("shape", String(shape));
    inputById("brush-size").value = String(size);
    this.palette.select(this.palette.idOf(String(name)));
    this.#showTool();
    this.#showBrush();
  }

  /** @param {string} name */
  take(name) {
    check("tool", name);
    this.#showTool();
  }

  /** @param {number} factor */
  resize(factor) {
    const { size } = this;
    inputById("brush-size").valueAsNumber = factor > 1 ? Math.max(size + 1, Math.round(size * factor)) : Math.min(size - 1, Math.round(size * factor));
    this.#showBrush();
  }

  nextShape() {
    check("shape", SHAPES[(SHAPES.indexOf(this.shape) + 1) % SHAPES.length]);
    this.#showBrush();
  }

  #showTool() {
    byId("brush-options").classList.toggle("is-off", !["brush", "line"].includes(this.tool));
    byId("tool-hint").textContent = HINTS[this.tool];
    this.changed.tool();
  }

  #showBrush() {
    byId("brush-size-value").textContent = inputById("brush-size").value;
    this.changed.brush();
  }
}
