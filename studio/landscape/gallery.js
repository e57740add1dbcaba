/** The results of this visit with their seeds, the latest first; a click returns to one. */

import { byId, make, onClick, thumb } from "../dom.js";

const MOST = 48;

/** @typedef {import("./api.js").Landscape} Landscape */

export class Gallery {
  /** @type {{landscape: Landscape, url: string}[]} */
  #entries = [];

  /** @param {(content: import("./drawing.js").Content) => void} adopt */
  constructor(adopt) {
    this.adopt = adopt;
    onClick("clear-gallery", () => this.#keep([]));
  }

  /** @param {Landscape} landscape */
  add(landscape) {
    const found = this.#entries.find((one) => isSame(one.landscape, landscape));
    const entry = found ?? { landscape, url: URL.createObjectURL(landscape.blob) };
    this.#keep([entry, ...this.#entries.filter((one) => one !== found)].slice(0, MOST));
  }

  /** @param {{landscape: Landscape, url: string}[]} entries */
  #keep(entries) {
    for (const one of this.#entries) if (!entries.includes(one)) URL.revokeObjectURL(one.url);
    this.#entries = entries;
    byId("gallery").replaceChildren(...entries.map((one) => this.#item(one)));
    byId("gallery-card").hidden = entries.length === 0;
  }

  /** @param {{landscape: Landscape, url: string}} entry */
  #item({ landscape, url }) {
    const { seed } = landscape;
    const picture = make("img", { src: url, alt: `Landscape with seed ${seed}`, loading: "lazy" });
    return make("li", {}, thumb(picture, String(seed), () => this.adopt(landscape.content), { title: "Back to this one" }));
  }
}

/** @param {Landscape} one @param {Landscape} other */
function isSame({ content: one }, { content: other }) {
  const [runs, others] = [one.picture.runs, other.picture.runs];
  const isSameStyle = JSON.stringify([one.style, one.picture.width]) === JSON.stringify([other.style, other.picture.width]);
  return isSameStyle && runs.length === others.length && runs.every((value, i) => value === others[i]);
}
