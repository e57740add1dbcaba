/** The seed of the picture, and the seeds of single classes: shown, rolled, forgotten. */

import { byId, icon, inputById, make, onClick } from "../dom.js";
import { parseSeed, rollSeed } from "../seed.js";

/** @typedef {import("./api.js").Style} Style */

export class Seeds {
  /** @param {() => Style} style @param {(style: Style) => void} change */
  constructor(style, change) {
    this.style = style;
    this.change = change;
    const input = inputById("seed");
    input.addEventListener("change", () => {
      const seed = parseSeed(input.value);
      input.setAttribute("aria-invalid", String(seed === null));
      if (seed !== null) this.set(seed);
    });
    onClick("roll", () => this.roll());
  }

  /** @param {number} seed */
  set(seed) {
    if (seed !== this.style().seed) this.change({ ...this.style(), seed });
  }

  roll() {
    this.set(rollSeed());
  }

  /** Another look for one class alone. @param {string} name */
  restyle(name) {
    const { seed, classSeeds } = this.style();
    this.change({ seed, classSeeds: { ...classSeeds, [name]: rollSeed() } });
  }

  show() {
    const { seed, classSeeds } = this.style();
    const input = inputById("seed");
    input.value = String(seed);
    input.setAttribute("aria-invalid", "false");
    const chips = Object.entries(classSeeds).map(([name, seed]) => this.#chip(name, seed));
    byId("class-seeds").replaceChildren(...chips);
    byId("class-seeds").hidden = chips.length === 0;
  }

  /** @param {string} name @param {number} seed */
  #chip(name, seed) {
    const onclick = () => {
      const { [name]: _, ...classSeeds } = this.style().classSeeds;
      this.change({ ...this.style(), classSeeds });
    };
    const forget = make("button", { "aria-label": `Let ${name} follow the seed again`, title: "Follow the seed again", onclick }, icon("close"));
    return make("li", { class: "seed-chip" }, `${name} `, make("b", { text: String(seed) }), forget);
  }
}
