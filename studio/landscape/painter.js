/** Has the landscape follow the drawing, and says what keeps it from doing so. */

import { ApiError, describe, isAbort, isPassing, patience } from "../api.js";
import { buttonById, inputById, rememberTick, saveAs } from "../dom.js";
import { dismiss, notify } from "../notice.js";
import { generate, variations } from "./api.js";
import { Live } from "./live.js";
import { encodeIndexed } from "./png.js";
import { showVariations } from "./result.js";

/** @typedef {import("./api.js").Landscape} Landscape */

export class Painter {
  /** @type {Landscape | null} */
  shown = null;

  /**
   * @param {import("./drawing.js").Drawing} drawing
   * @param {import("./palette.js").Palette} palette
   * @param {import("./result.js").Result} result
   * @param {{shown: (landscape: Landscape) => void, back: () => void, noClassSeeds: () => void}} tell
   *   shown: a landscape of a drawing that holds still; back: the server answers again; noClassSeeds: the model has none
   */
  constructor(drawing, palette, result, tell) {
    this.drawing = drawing;
    this.palette = palette;
    this.result = result;
    this.tell = tell;
    this.isAway = false;
    /** @type {Live<Landscape>} */
    this.live = new Live({
      send: (signal) => this.#send(signal),
      show: (answer, milliseconds, isSettled) => this.#show(answer, milliseconds, isSettled),
      fail: (error, tries) => this.#fail(error, tries),
      busy: (isBusy) => result.busy(isBusy),
    });
    window.addEventListener("online", () => this.live.retry());
    rememberTick("drawn", () => this.live.settle());
  }

  /** @param {AbortSignal} signal */
  async #send(signal) {
    const { content, map } = this.drawing;
    const sketch = await encodeIndexed(map, this.palette.colors);
    const onWait = (/** @type {number} */ seconds) => this.result.problem(`The server is busy; trying again in ${seconds} s.`);
    return { ...(await generate(sketch, content.style, "jpeg", { signal, onWait, ...outlines() })), content };
  }

  /** @param {Landscape} answer @param {number} milliseconds @param {boolean} isSettled */
  #show(answer, milliseconds, isSettled) {
    this.shown = answer;
    this.result.problem(null);
    this.result.show(answer, milliseconds);
    if (isSettled) this.tell.shown(answer);
    if (this.isAway) this.tell.back();
    this.isAway = false;
  }

  /** @param {unknown} error @param {number} tries @returns {number | null} */
  #fail(error, tries) {
    if (isAbort(error)) return null;
    if (error instanceof ApiError && error.field === "class_seeds") {
      this.tell.noClassSeeds();
      return null;
    }
    this.isAway = isPassing(error);
    this.result.problem(this.isAway ? `${describe(error)}. What you draw is kept; the landscape follows when the server is back.` : describe(error));
    return this.isAway ? patience(tries) : null;
  }

  /** Four other seeds, to choose from. @param {(seed: number) => void} adopt */
  async vary(adopt) {
    const button = buttonById("vary");
    button.disabled = true;
    try {
      const { map, style } = this.drawing;
      const sketch = await encodeIndexed(map, this.palette.colors);
      const images = await variations(sketch, { ...style, seed: style.seed + 1 }, { onWait: waiting, ...outlines() });
      showVariations(images, adopt);
      dismiss("waiting");
    } catch (error) {
      notify(describe(error), { kind: "error" });
    } finally {
      button.disabled = false;
    }
  }

  /** Without loss: the same request once more, as a PNG; while the server is away, the picture as it is shown. */
  async save() {
    if (!this.shown) return;
    const { sketch, content, seed, blob } = this.shown;
    const metadata = inputById("with-sketch").checked;
    try {
      saveAs((await generate(sketch, content.style, "png", { metadata, ...outlines() })).blob, `landscape-${seed}.png`);
    } catch (error) {
      if (!isPassing(error)) return notify(describe(error), { kind: "error" });
      saveAs(blob, `landscape-${seed}.jpg`);
      notify("The server can't be reached: this is the picture as it is shown, without what it was made of.");
    }
  }
}

const outlines = () => inputById("drawn").checked && { outlines: "drawn" };

/** @param {number} seconds */
function waiting(seconds) {
  notify(`The server is busy; trying again in ${seconds} s.`, { id: "waiting", seconds: seconds + 2 });
}
