/** The landscape studio: the sketch, its tools, and the landscape that follows it. */

import { describe, isAbort, ApiError } from "../api.js";
import { buttonById, byId, canvasById, check, checkedValue, inputById } from "../dom.js";
import { modelLine, modelOf } from "../models.js";
import { dismiss, notify } from "../notice.js";
import { generate, variations } from "./api.js";
import { Drawing } from "./drawing.js";
import { CanvasInput } from "./canvas_input.js";
import { EXAMPLES, drawExample } from "./examples.js";
import { Exchange, saveLandscape, showExamples } from "./exchange.js";
import { History } from "./history.js";
import { Live } from "./live.js";
import { Palette } from "./palette.js";
import { encodeIndexed } from "./png.js";
import { Result, showVariations } from "./result.js";
import { Seeds } from "./seeds.js";
import { makeTools } from "./tools.js";
import { View } from "./view.js";

class LandscapePage {
  /** @param {Palette} palette */
  constructor(palette) {
    this.palette = palette;
    /** @type {import("./api.js").Landscape | null} */
    this.shown = null;
    this.drawing = new Drawing();
    this.view = new View(canvasById("sketch"), canvasById("sketch-overlay"), this.drawing, palette.colors);
    this.result = new Result();
    this.seeds = new Seeds(() => this.live.settle());
    this.live = new Live({
      send: (signal) => this.#send(signal),
      show: (answer, milliseconds) => this.#show(answer, milliseconds),
      fail: (error) => this.#fail(error),
      busy: (isBusy) => this.result.busy(isBusy),
    });
    /** @type {import("./tools.js").Bench} */
    const bench = {
      drawing: this.drawing,
      value: () => palette.selected.id,
      size: () => inputById("brush-size").valueAsNumber,
      shape: () => /** @type {import("./brush.js").Shape} */ (checkedValue("shape")),
      pick: (id) => {
        palette.select(id);
        check("tool", "brush");
      },
      changed: () => this.#changed(),
      done: () => this.#step(this.drawing.commit()),
    };
    this.canvasInput = new CanvasInput(canvasById("sketch-overlay"), this.view, makeTools(bench), bench);
    this.exchange = new Exchange(palette, this.drawing, (data) => this.#replace(data), {
      result: (answer, milliseconds) => this.#show(answer, milliseconds),
      style: () => this.seeds.style,
      hold: () => this.live.stop(),
    });
    this.#listen();
    this.drawing.replace(drawExample(EXAMPLES[0], this.drawing.size, palette.ids));
    this.drawing.history = new History(); // there is nothing before the first sketch
    this.view.refresh();
    this.#showSteps();
  }

  /** @type {import("../shortcuts.js").Shortcuts} */
  get shortcuts() {
    const tool = (/** @type {string} */ name) => () => {
      this.canvasInput.cancel();
      check("tool", name);
      this.#showTool();
    };
    return {
      b: tool("brush"),
      l: tool("line"),
      p: tool("polygon"),
      g: tool("fill"),
      i: tool("pick"),
      "[": () => this.#resize(0.8),
      "]": () => this.#resize(1.25),
      d: () => this.#nextShape(),
      ",": () => this.palette.selectNext(-1),
      ".": () => this.palette.selectNext(1),
      r: () => this.seeds.roll(),
      c: () => this.seeds.restyle(this.palette.selected.name),
      v: () => this.#vary(),
      "ctrl+z": () => this.#undo(),
      "ctrl+shift+z": () => this.#redo(),
      "ctrl+y": () => this.#redo(),
      "ctrl+s": () => this.#saveResult(),
      Escape: () => this.canvasInput.cancel(),
    };
  }

  enter() {
    this.live.settle();
    modelOf("landscape").then(
      (model) => (byId("landscape-model").textContent = model ? modelLine(model) : "no landscape model is loaded"),
      () => {},
    );
    modelOf("segmenter").then((model) => this.exchange.allowPhotos(model !== null), () => {});
  }

  leave() {
    this.live.stop();
  }

  #listen() {
    buttonById("undo").addEventListener("click", () => this.#undo());
    buttonById("redo").addEventListener("click", () => this.#redo());
    buttonById("roll").addEventListener("click", () => this.seeds.roll());
    buttonById("restyle").addEventListener("click", () => this.seeds.restyle(this.palette.selected.name));
    buttonById("vary").addEventListener("click", () => this.#vary());
    buttonById("save-result").addEventListener("click", () => this.#saveResult());
    inputById("brush-size").addEventListener("input", () => this.#showTool());
    byId("tools").addEventListener("change", () => {
      this.canvasInput.cancel();
      this.#showTool();
    });
    byId("palette").addEventListener("change", () => this.#showClass());
    this.#showClass();
    this.#showTool();
    showExamples(this.palette, (example) => this.#replace(drawExample(example, this.drawing.size, this.palette.ids)));
    window.addEventListener("resize", () => this.canvasInput.show());
  }

  #changed() {
    this.view.refresh();
    this.live.changed();
  }

  /** @param {boolean} hasChanged */
  #step(hasChanged) {
    this.view.refresh();
    this.#showSteps();
    if (!hasChanged) return;
    this.result.unmatched(0);
    this.live.settle();
  }

  #undo() {
    this.canvasInput.cancel();
    this.#step(this.drawing.undo());
  }

  #redo() {
    this.#step(this.drawing.redo());
  }

  /** @param {Uint8Array} data */
  #replace(data) {
    this.canvasInput.cancel();
    this.#step(this.drawing.replace(data));
  }

  /** @param {AbortSignal} signal */
  async #send(signal) {
    const sketch = await encodeIndexed(this.drawing.data, this.drawing.size, this.palette.colors);
    return generate(sketch, this.seeds.style, "jpeg", {
      signal,
      onWait: (seconds) => this.result.problem(`The server is busy; trying again in ${seconds} s.`),
    });
  }

  /** @param {import("./api.js").Landscape} answer @param {number} milliseconds */
  #show(answer, milliseconds) {
    this.shown = answer;
    this.result.problem(null);
    this.result.unmatched(answer.unmatched);
    this.result.show(answer, milliseconds);
  }

  /** @param {unknown} error */
  #fail(error) {
    if (isAbort(error)) return;
    if (error instanceof ApiError && error.field === "class_seeds") {
      this.seeds.forgetClasses();
      buttonById("restyle").disabled = true;
      buttonById("restyle").title = "This model has one look for all classes";
    }
    this.result.problem(describe(error));
  }

  async #vary() {
    const button = buttonById("vary");
    button.disabled = true;
    try {
      const sketch = await encodeIndexed(this.drawing.data, this.drawing.size, this.palette.colors);
      const { seed, classSeeds } = this.seeds.style;
      const images = await variations(sketch, { seed: seed + 1, classSeeds }, { onWait: waiting });
      showVariations(images, (chosen) => this.seeds.set(chosen));
      dismiss("waiting");
    } catch (error) {
      notify(describe(error), { kind: "error" });
    } finally {
      button.disabled = false;
    }
  }

  async #saveResult() {
    try {
      if (this.shown) await saveLandscape(this.shown);
    } catch (error) {
      notify(describe(error), { kind: "error" });
    }
  }

  /** @param {number} factor */
  #resize(factor) {
    const input = inputById("brush-size");
    const size = input.valueAsNumber;
    input.valueAsNumber = factor > 1 ? Math.max(size + 1, Math.round(size * factor)) : Math.min(size - 1, Math.round(size * factor));
    this.#showTool();
  }

  #nextShape() {
    const shapes = ["round", "square", "diamond"];
    check("shape", shapes[(shapes.indexOf(checkedValue("shape")) + 1) % shapes.length]);
    this.#showTool();
  }

  #showTool() {
    byId("brush-size-value").textContent = inputById("brush-size").value;
    const hasSize = ["brush", "line"].includes(checkedValue("tool"));
    byId("brush-options").classList.toggle("is-off", !hasSize);
    byId("tool-hint").textContent = HINTS[checkedValue("tool")];
    this.canvasInput?.show();
  }

  #showClass() {
    byId("restyle-class").textContent = this.palette.selected.name;
  }

  #showSteps() {
    buttonById("undo").disabled = !this.drawing.history.canUndo;
    buttonById("redo").disabled = !this.drawing.history.canRedo;
  }
}

/** @type {Record<string, string>} */
const HINTS = {
  brush: "Shift-click draws a straight line from the last stroke.",
  line: "Drag; hold Shift for the eight directions.",
  polygon: "Click the corners; close it at the first one, or with Enter. Esc gives it up.",
  fill: "Click an area to give it another class.",
  pick: "Click to take a class from the sketch; right-click does it with any tool.",
};

/** @param {number} seconds */
function waiting(seconds) {
  notify(`The server is busy; trying again in ${seconds} s.`, { id: "waiting", seconds: seconds + 2 });
}

export async function start() {
  const palette = await Palette.load();
  palette.show();
  return new LandscapePage(palette);
}
