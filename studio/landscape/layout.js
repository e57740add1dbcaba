/** How sketch and landscape share the screen: beside each other, one large with the other in its corner, or one over the other. */

import { byId, check, checkedValue, inputById, onClick } from "../dom.js";

const NAME = "prospero-layout";
const SWAPPED = new Map([["sketch", "result"], ["result", "sketch"]]);

export class Layout {
  /** @param {() => void} changed */
  constructor(changed) {
    this.changed = changed;
    for (const one of document.querySelectorAll("input[name=layout]")) one.addEventListener("change", () => this.set(checkedValue("layout")));
    onClick("swap", () => this.set(SWAPPED.get(checkedValue("layout")) ?? "beside"));
    inputById("compare").addEventListener("input", () => this.#cut());
    this.set(sessionStorage.getItem(NAME) ?? "beside");
  }

  /** @param {string} layout "beside", "sketch" or "result" (which is large), or "compare" */
  set(layout) {
    check("layout", layout);
    sessionStorage.setItem(NAME, layout);
    byId("canvas-area").dataset.layout = layout;
    document.body.classList.toggle("is-large", layout !== "beside");
    this.#cut();
    this.changed();
  }

  /** Large to beside each other, and back. */
  toggle() {
    this.set(checkedValue("layout") === "beside" ? "result" : "beside");
  }

  #cut() {
    byId("canvas-area").style.setProperty("--cut", `${inputById("compare").value}%`);
  }
}
