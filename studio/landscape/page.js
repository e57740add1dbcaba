/** The landscape studio: the drawing, its tools, and the landscape that follows it, put together. */

import { describe } from "../api.js";
import { buttonById, byId, canvasById, onClick } from "../dom.js";
import { forgetModels, modelLine, modelOf } from "../models.js";
import { notify } from "../notice.js";
import { rollSeed } from "../seed.js";
import { CanvasInput } from "./canvas_input.js";
import { CanvasShape } from "./canvas_shape.js";
import { DeskView } from "./desk.js";
import { Drawing, SIDE } from "./drawing.js";
import { DrawingsView } from "./drawings_view.js";
import { EXAMPLES, drawExample } from "./examples.js";
import { Gallery } from "./gallery.js";
import { Intake } from "./intake.js";
import { Keeper } from "./keeper.js";
import { LabelMap } from "./label_map.js";
import { Layout } from "./layout.js";
import { Painter } from "./painter.js";
import { Palette } from "./palette.js";
import { fromLink } from "./portable.js";
import { Result } from "./result.js";
import { startSaves } from "./saves.js";
import { Seeds } from "./seeds.js";
import { showStarts } from "./starts.js";
import { Store } from "./store.js";
import { makeTools } from "./tools.js";
import { View } from "./view.js";

/** @typedef {import("./drawing.js").Content} Content */
/** @typedef {import("./label_map.js").Picture} Picture */

class LandscapePage {
  #canRestyle = true;
  #isOpen = false;

  /** @param {Palette} palette @param {Store | null} store */
  constructor(palette, store) {
    this.palette = palette;
    this.drawing = new Drawing(this.#fresh());
    const overlay = canvasById("sketch-overlay");
    this.view = new View(canvasById("sketch"), overlay, this.drawing.map, palette.colors);
    this.desk = new DeskView(palette, this.drawing.map, { tool: () => this.canvasInput.cancel(), brush: () => this.canvasInput.show() });
    this.canvasInput = new CanvasInput(overlay, this.view, makeTools(this.#bench), this.#bench);
    this.canvasShape = new CanvasShape(this.drawing.map, (picture) => this.#change({ picture }));
    this.layout = new Layout(() => this.canvasInput.show());
    this.seeds = new Seeds(() => this.drawing.style, (style) => this.#change({ style }));
    this.result = new Result();
    this.painter = new Painter(this.drawing, palette, this.result, {
      shown: (landscape) => this.gallery.add(landscape),
      back: () => this.#showModels(),
      noClassSeeds: () => this.#forgetClassSeeds(),
    });
    this.gallery = new Gallery(({ picture, style }) => this.#change({ picture, style }));
    this.keeper = new Keeper(store, this.drawing, () => this.desk.state, {
      kept: () => this.drawings.show(),
      moved: () => notify("This drawing was changed in another tab, too: yours goes on as one of its own."),
      failed: (error) => notify(`This drawing can't be kept: ${describe(error)}. Export it to be sure.`, { id: "kept", kind: "error" }),
    });
    this.drawings = new DrawingsView(this.keeper, palette.colors, {
      open: (id) => this.#open(id),
      begin: () => this.#begin(this.#fresh(), false),
      name: (name) => this.#name(name),
    });
    this.intake = new Intake(palette, () => Math.max(this.drawing.map.width, this.drawing.map.height), {
      picture: (picture, unmatched) => {
        this.#change({ picture });
        this.result.unmatched(unmatched);
      },
      content: (content) => this.#begin(content, true),
    });
    this.#listen();
  }

  /** @returns {import("./tools.js").Bench} */
  get #bench() {
    return {
      map: this.drawing.map,
      value: () => this.palette.selected.id,
      size: () => this.desk.size,
      shape: () => this.desk.shape,
      isSmooth: () => this.desk.isSmooth,
      pick: (id) => {
        this.palette.select(id);
        this.desk.take("brush");
      },
      changed: () => {
        this.view.refresh();
        this.painter.live.changed();
      },
      done: () => this.#step(this.drawing.commit()),
    };
  }

  /** @type {import("../shortcuts.js").Shortcuts} */
  get shortcuts() {
    const tool = (/** @type {string} */ name) => () => this.desk.take(name);
    return {
      b: tool("brush"),
      l: tool("line"),
      p: tool("polygon"),
      g: tool("fill"),
      m: tool("mountain"),
      h: tool("horizon"),
      s: tool("select"),
      i: tool("pick"),
      "+": () => this.canvasInput.zoom(1.5),
      "-": () => this.canvasInput.zoom(1 / 1.5),
      0: () => this.canvasInput.zoom(0),
      f: () => this.layout.toggle(),
      "[": () => this.desk.resize(0.8),
      "]": () => this.desk.resize(1.25),
      d: () => this.desk.nextShape(),
      ",": () => this.palette.selectNext(-1),
      ".": () => this.palette.selectNext(1),
      r: () => this.seeds.roll(),
      c: () => this.#restyle(),
      v: () => this.#vary(),
      "ctrl+z": () => this.#undo(),
      "ctrl+shift+z": () => this.#redo(),
      "ctrl+y": () => this.#redo(),
      "ctrl+s": () => this.painter.save(),
      Escape: () => this.canvasInput.cancel(),
    };
  }

  /** @param {string} query of a link, which may hold a drawing */
  async enter(query) {
    this.#isOpen = true;
    await this.#openLink(query);
    this.painter.live.settle();
    this.#showModels();
  }

  leave() {
    this.#isOpen = false;
    this.painter.live.stop();
    this.keeper.flush();
  }

  /** What was on the canvas when the page was left. */
  async resume() {
    const desk = await this.keeper.resume().catch(() => null);
    this.desk.state = desk ?? this.desk.state;
    this.#show();
    this.drawings.showName();
    await this.drawings.show().catch(() => {});
  }

  #listen() {
    onClick("undo", () => this.#undo());
    onClick("redo", () => this.#redo());
    onClick("clear", () => this.#clear());
    onClick("restyle", () => this.#restyle());
    onClick("vary", () => this.#vary());
    onClick("zoom-out", () => this.canvasInput.zoom(1 / 1.5));
    onClick("zoom-in", () => this.canvasInput.zoom(1.5));
    onClick("zoom-all", () => this.canvasInput.zoom(0));
    onClick("save-result", () => this.painter.save());
    byId("palette").addEventListener("change", () => this.#showRestyle());
    showStarts(this.palette, (example) => this.#change({ picture: this.#example(example) }));
    startSaves(this.drawing, this.palette);
    window.addEventListener("resize", () => this.canvasInput.show());
    document.addEventListener("paste", (event) => this.#isOpen && this.intake.paste(event));
  }

  /** @param {string} query */
  async #openLink(query) {
    if (!query) return;
    history.replaceState(null, "", "#landscape"); // a reload shall go on with what is drawn from here on
    try {
      const content = await fromLink(query, this.palette.names);
      if (content) await this.#begin(content, true);
    } catch (error) {
      notify(`The drawing of this link can't be opened: ${describe(error)}.`, { kind: "error" });
    }
  }

  /** @param {import("./examples.js").Example} example @returns {Picture} of the size that the drawing has */
  #example(example) {
    const { width, height } = this.drawing?.map ?? { width: SIDE, height: SIDE };
    return drawExample(example, width, height, (name) => this.palette.idOf(name)).picture;
  }

  /** @returns {Content} */
  #fresh() {
    return { name: "", picture: this.#example(EXAMPLES[0]), style: { seed: rollSeed(), classSeeds: {} } };
  }

  /** @param {boolean} hasChanged */
  #step(hasChanged) {
    this.#show();
    if (!hasChanged) return;
    this.result.unmatched(0);
    this.painter.live.settle();
    this.keeper.touch();
  }

  /** One step that can be undone. @param {{picture?: Picture, style?: import("./api.js").Style}} change */
  #change(change) {
    this.canvasInput.cancel();
    this.drawing.change(change);
    this.#step(true);
  }

  #undo() {
    this.canvasInput.cancel();
    this.#step(this.drawing.undo());
  }

  #redo() {
    this.canvasInput.cancel();
    this.#step(this.drawing.redo());
  }

  /** Nothing but sky, the palette's first class. */
  #clear() {
    const { width, height } = this.drawing.map;
    this.#change({ picture: new LabelMap(width, height).picture });
  }

  /** A drawing of its own; the one before is kept. @param {Content} content @param {boolean} isKept before it is changed */
  async #begin(content, isKept) {
    this.canvasInput.cancel();
    await this.keeper.begin(content);
    if (isKept) this.keeper.touch();
    this.#showAnew();
  }

  /** @param {string} id */
  async #open(id) {
    this.canvasInput.cancel();
    const desk = await this.keeper.open(id);
    if (!desk) return;
    this.desk.state = desk;
    this.#showAnew();
  }

  /** Another drawing is on the canvas. */
  #showAnew() {
    this.#show();
    this.result.unmatched(0);
    this.painter.live.settle();
    this.drawings.showName();
    this.drawings.show();
  }

  /** @param {string} name */
  #name(name) {
    this.drawing.name = name;
    this.keeper.touch();
  }

  #vary() {
    this.painter.vary((seed) => this.seeds.set(seed));
  }

  #restyle() {
    if (this.#canRestyle) this.seeds.restyle(this.#restyled);
  }

  /** The class to restyle: the selected one if the sketch has it, or the one that it has most of. */
  get #restyled() {
    const counts = this.drawing.map.counts();
    const { selected, names } = this.palette;
    return counts[selected.id] ? selected.name : names[counts.indexOf(Math.max(...counts))];
  }

  #forgetClassSeeds() {
    this.#canRestyle = false;
    buttonById("restyle").disabled = true;
    buttonById("restyle").title = "This model has one look for all classes";
    this.drawing.style = { ...this.drawing.style, classSeeds: {} };
    this.#step(true);
  }

  #show() {
    const { width, height } = this.drawing.map;
    byId("canvas-area").style.setProperty("--ratio", String(width / height));
    this.view.refresh();
    this.canvasShape.show();
    this.seeds.show();
    this.#showRestyle();
    buttonById("undo").disabled = !this.drawing.history.canUndo;
    buttonById("redo").disabled = !this.drawing.history.canRedo;
  }

  #showRestyle() {
    byId("restyle-class").textContent = this.#restyled;
  }

  #showModels() {
    forgetModels();
    modelOf("landscape").then(
      (model) => (byId("landscape-model").textContent = model ? modelLine(model) : "no landscape model is loaded"),
      () => {},
    );
    modelOf("segmenter").then((model) => this.intake.allowPhotos(model !== null), () => {});
  }
}

export async function start() {
  const [palette, store] = await Promise.all([Palette.load(), Store.open()]);
  palette.show();
  const page = new LandscapePage(palette, store);
  await page.resume();
  return page;
}
