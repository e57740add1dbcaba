/** Sketches to start from, as buttons. */

import { byId, make } from "../dom.js";
import { EXAMPLES, drawExample } from "./examples.js";
import { thumbnail } from "./view.js";

const THUMB = 128;

/**
 * @param {import("./palette.js").Palette} palette
 * @param {(example: import("./examples.js").Example) => void} choose
 */
export function showStarts(palette, choose) {
  const items = EXAMPLES.map((example) => {
    const map = drawExample(example, THUMB, THUMB, (name) => palette.idOf(name));
    const button = make("button", { type: "button", class: "thumb" }, thumbnail(map, palette.colors, THUMB), make("span", { text: example.name }));
    button.addEventListener("click", () => choose(example));
    return make("li", {}, button);
  });
  byId("examples").replaceChildren(...items);
}
