/** The classes to draw with, as groups of radio buttons. */

import { call, describe, persist } from "../api.js";
import { byId, check, checkedValue, make } from "../dom.js";
import { dismiss, notify } from "../notice.js";

/** @typedef {{id: number, name: string, color: string, group: string, earlier_colors: string[]}} PaletteClass */

export class Palette {
  /** @param {PaletteClass[]} classes in the order of their ids */
  constructor(classes) {
    this.classes = classes;
    this.colors = classes.map((one) => one.color);
    this.names = classes.map((one) => one.name);
    this.taken = classes.map((one) => [one.color, ...one.earlier_colors]); // old sketches stay readable
  }

  /** Without its colours the page is nothing: they are asked for until they come. @returns {Promise<Palette>} */
  static async load() {
    const tell = (/** @type {unknown} */ error) => notify(`${describe(error)}. Trying again until it can.`, { id: "palette", seconds: 60 });
    const { classes } = await (await persist(() => call("palette"), tell)).json();
    dismiss("palette");
    return new Palette([...classes].sort((one, other) => one.id - other.id));
  }

  /** @param {string} name @returns {number} of the first class if the palette lacks it */
  idOf(name) {
    return Math.max(0, this.names.indexOf(name));
  }

  get selected() {
    return this.classes[Number(checkedValue("class"))];
  }

  /** @param {number} id */
  select(id) {
    check("class", String(id));
    byId("palette").dispatchEvent(new Event("change"));
  }

  /** @param {number} step forwards or backwards through the classes */
  selectNext(step) {
    this.select((this.selected.id + step + this.classes.length) % this.classes.length);
  }

  show() {
    const groups = new Map(this.classes.map((one) => [one.group, /** @type {HTMLElement[]} */ ([])]));
    for (const one of this.classes) groups.get(one.group)?.push(swatch(one));
    const sections = [...groups].map(([name, swatches]) => make("div", { class: "palette-group" }, make("h3", { text: name }), ...swatches));
    byId("palette").replaceChildren(...sections);
    this.select(this.idOf("mountain"));
  }
}

/** @param {PaletteClass} one */
function swatch({ id, name, color }) {
  const chip = make("span", { class: "chip" });
  chip.style.background = color; // a style attribute would break the page's policy
  const input = make("input", { type: "radio", name: "class", value: id });
  return make("label", { class: "swatch", title: `${name} ${color}` }, input, chip, make("span", { text: name }));
}
