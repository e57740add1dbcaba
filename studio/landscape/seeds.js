/** The seed of the picture, and the seeds of single classes: shown, rolled, forgotten. */

import { byId, icon, inputById, make } from "../dom.js";
import { parseSeed, rollSeed } from "../seed.js";

export class Seeds {
  /** @type {Map<string, number>} */
  #classes = new Map();

  /** @param {() => void} changed */
  constructor(changed) {
    this.changed = changed;
    this.value = rollSeed();
    const input = inputById("seed");
    input.addEventListener("change", () => {
      const seed = parseSeed(input.value);
      input.setAttribute("aria-invalid", String(seed === null));
      if (seed !== null) this.set(seed);
    });
    this.#show();
  }

  /** @returns {import("./api.js").Style} */
  get style() {
    return { seed: this.value, classSeeds: Object.fromEntries(this.#classes) };
  }

  /** @param {number} seed */
  set(seed) {
    this.value = seed;
    this.#show();
    this.changed();
  }

  roll() {
    this.set(rollSeed());
  }

  /** Another look for one class alone. @param {string} name */
  restyle(name) {
    this.#classes.set(name, rollSeed());
    this.#show();
    this.changed();
  }

  forgetClasses() {
    this.#classes.clear();
    this.#show();
  }

  #show() {
    const input = inputById("seed");
    input.value = String(this.value);
    input.setAttribute("aria-invalid", "false");
    const chips = [...this.#classes].map(([name, seed]) => this.#chip(name, seed));
    byId("class-seeds").replaceChildren(...chips);
    byId("class-seeds").hidden = chips.length === 0;
  }

  /** @param {string} name @param {number} seed */
  #chip(name, seed) {
    const forget = make("button", { type: "button", "aria-label": `Let ${name} follow the seed again`, title: "Follow the seed again" }, icon("close"));
    forget.addEventListener("click", () => {
      this.#classes.delete(name);
      this.#show();
      this.changed();
    });
    return make("li", { class: "seed-chip" }, `${name} `, make("b", { text: String(seed) }), forget);
  }
}
