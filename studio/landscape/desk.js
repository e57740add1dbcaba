/** The tools as they lie: which one, its size and shape, and the class to draw with; kept with each drawing. */

import { byId, check, checkedValue, inputById } from "../dom.js";

/** @typedef {import("./store.js").Desk} Desk */

const OPTIONS = ["mirror", "smooth", "pen-only", "pressure"];
const SHAPES = ["round", "square", "diamond"];

/** @type {Record<string, string>} */
const HINTS = {
  brush: "Shift-click draws a straight line from the last stroke.",
  line: "Drag; hold Shift for the eight directions.",
  polygon: "Click the corners; close it at the first one, or with Enter. Esc gives it up.",
  fill: "Click an area to give it another class.",
  mountain: "Drag from a foot up to the peak; hold Shift for a plain one.",
  horizon: "Drag up or down: all below takes the class. Hold Shift for a straight line.",
  select: "Click an area or drag a box round it; then drag it to where it belongs.",
  pick: "Click to take a class from the sketch; right-click does it with any tool.",
};

export class DeskView {
  /**
   * @param {import("./palette.js").Palette} palette
   * @param {import("./label_map.js").LabelMap} map
   * @param {{tool: () => void, brush: () => void}} changed another tool; another size or shape of the brush
   */
  constructor(palette, map, changed) {
    this.palette = palette;
    this.map = map;
    this.changed = changed;
    inputById("brush-size").addEventListener("input", () => this.#showBrush());
    for (const shape of document.querySelectorAll("input[name=shape]")) shape.addEventListener("change", () => this.#showBrush());
    for (const tool of document.querySelectorAll("input[name=tool]")) tool.addEventListener("change", () => this.#showTool());
    for (const option of OPTIONS) inputById(option).addEventListener("change", () => this.#showBrush());
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

  get isSmooth() {
    return inputById("smooth").checked;
  }

  /** @returns {Desk} */
  get state() {
    const { tool, shape, size } = this;
    const options = Object.fromEntries(OPTIONS.map((name) => [name, inputById(name).checked]));
    return { tool, shape, size, class: this.palette.selected.name, ...options };
  }

  /** @param {Desk} state */
  set state({ tool, shape, size, class: name, ...options }) {
    for (const option of OPTIONS) inputById(option).checked = options[option] === true;
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
    this.map.isMirrored = inputById("mirror").checked;
    byId("brush-size-value").textContent = inputById("brush-size").value;
    this.changed.brush();
  }
}
