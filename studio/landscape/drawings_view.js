/** The drawings that are kept in this browser: to open, to name, to delete; and the name of the one on the canvas. */

import { byId, icon, inputById, make, onClick, thumb } from "../dom.js";
import { notify } from "../notice.js";
import { LabelMap } from "./label_map.js";
import { cleanName } from "./portable.js";
import { thumbnail } from "./view.js";

const THUMB = 128;

/** @typedef {import("./store.js").Stored} Stored */

export class DrawingsView {
  /** @type {Map<string, HTMLElement>} pictures, by token */
  #pictures = new Map();

  /**
   * @param {import("./keeper.js").Keeper} keeper
   * @param {string[]} colors
   * @param {{open: (id: string) => void, begin: () => void, name: (name: string) => void}} act
   */
  constructor(keeper, colors, act) {
    this.keeper = keeper;
    this.colors = colors;
    this.act = act;
    onClick("new-drawing", () => act.begin());
    const name = inputById("drawing-name");
    name.addEventListener("change", () => act.name((name.value = cleanName(name.value))));
    byId("kept-note").hidden = keeper.store === null;
    byId("not-kept-note").hidden = keeper.store !== null;
  }

  /** Another drawing is on the canvas. */
  showName() {
    inputById("drawing-name").value = this.keeper.drawing.name;
  }

  /** Not its name: somebody may be typing one. */
  async show() {
    const all = await this.keeper.list();
    const pictures = new Map(all.map((one) => [one.token, this.#pictures.get(one.token) ?? this.#picture(one)]));
    this.#pictures = pictures;
    byId("drawings").replaceChildren(...all.map((one) => this.#item(one)));
  }

  /** @param {Stored} stored */
  #picture({ picture }) {
    const map = new LabelMap(1, 1);
    map.picture = picture;
    return thumbnail(map, this.colors, THUMB);
  }

  /** @param {Stored} stored */
  #item({ id, token, name, changed }) {
    const shown = name || new Date(changed).toLocaleString([], { dateStyle: "short", timeStyle: "short" });
    const isCurrent = id === this.keeper.id;
    const picture = /** @type {HTMLElement} */ (this.#pictures.get(token));
    const open = thumb(picture, shown, () => this.act.open(id), { "aria-current": isCurrent && "true" });
    const onclick = () => this.#remove(id, shown);
    const remove = make("button", { class: "thumb-remove", "aria-label": `Delete ${shown}`, title: "Delete", onclick }, icon("close"));
    return make("li", {}, open, remove);
  }

  /** @param {string} id @param {string} shown */
  async #remove(id, shown) {
    const isCurrent = id === this.keeper.id;
    const back = await this.keeper.remove(id);
    if (isCurrent) this.act.begin();
    const undo = async () => {
      await back();
      if (isCurrent) this.act.open(id);
    };
    notify(`Deleted ${shown}.`, { seconds: 12, actions: [{ label: "Bring it back", run: undo }] });
  }
}
