/** Sketches to start from, as buttons. */

import { byId, make, thumb } from "../dom.js";
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
    return make("li", {}, thumb(thumbnail(map, palette.colors, THUMB), example[0], () => choose(example)));
  });
  byId("examples").replaceChildren(...items);
}
