/** The canvas's aspect ratio and resolution, of those that the server takes (1:2 to 2:1). */

import { byId } from "../dom.js";
import { encode } from "./runs.js";
import { sidesOf, stretch } from "./stretch.js";

const OWN = "own"; // of an uploaded sketch

/** @typedef {import("./label_map.js").LabelMap} LabelMap */

export class CanvasShape {
  /**
   * @param {LabelMap} map
   * @param {(picture: import("./label_map.js").Picture) => void} change what is drawn, stretched
   */
  constructor(map, change) {
    this.map = map;
    this.ratio = /** @type {HTMLSelectElement} */ (byId("ratio"));
    this.side = /** @type {HTMLSelectElement} */ (byId("side"));
    for (const select of [this.ratio, this.side]) {
      select.addEventListener("change", () => {
        const ratio = this.ratio.value === OWN ? map.width / map.height : Number(this.ratio.value);
        const [width, height] = sidesOf(ratio, Number(this.side.value));
        change({ width, height, runs: encode(stretch(map, width, height).data) });
      });
    }
  }

  show() {
    const { width, height } = this.map;
    const same = [...this.ratio.options].find((one) => sidesOf(Number(one.value), Math.max(width, height)).join() === `${width},${height}`);
    this.ratio.value = same ? same.value : OWN;
    this.side.value = Math.max(width, height) > 512 ? "1024" : "512";
    byId("canvas-size").textContent = `${width} × ${height}`;
  }
}
