/** A drawing: its label map, its seeds and its name, and every change to the first two as a step to undo. */

import { History } from "./history.js";
import { LabelMap } from "./label_map.js";

export const SIDE = 512; // of the longer side of a new drawing
const STORED_BYTES = 2 << 20; // of the history, in storage

/** @typedef {import("./api.js").Style} Style */
/** @typedef {import("./history.js").Step} Step */
/** @typedef {import("./label_map.js").Picture} Picture */
/** @typedef {{name: string, picture: Picture, style: Style}} Content */

export class Drawing {
  /** @param {Content} content */
  constructor({ name, picture, style }) {
    this.map = new LabelMap(1, 1);
    this.history = new History();
    this.become({ name, picture, style });
  }

  /** Be another drawing, whose history begins here. @param {Content} content */
  become({ name, picture, style }) {
    this.name = name;
    this.style = style;
    this.map.picture = picture;
    this.history = new History();
  }

  /** @returns {Content} */
  get content() {
    return { name: this.name, picture: this.map.picture, style: this.style };
  }

  /** The strokes since the map's `begin` are a step. @returns {boolean} whether anything has changed */
  commit() {
    const tiles = this.map.end();
    if (tiles.size) this.history.push({ tiles });
    return tiles.size > 0;
  }

  /**
   * Another picture, other seeds, or both, as one step.
   * @param {{picture?: Picture, style?: Style}} change
   */
  change({ picture, style }) {
    this.history.push({ ...(picture && { whole: this.map.picture }), ...(style && { style: this.style }) });
    if (picture) this.map.picture = picture;
    if (style) this.style = style;
  }

  undo() {
    return this.#swap(this.history.undo((step) => this.#current(step)));
  }

  redo() {
    return this.#swap(this.history.redo((step) => this.#current(step)));
  }

  get storedHistory() {
    return this.history.latest(STORED_BYTES);
  }

  /** @param {Step} step @returns {Step} */
  #current({ tiles, whole, style }) {
    return {
      ...(tiles && { tiles: this.map.readTiles(tiles.keys()) }),
      ...(whole && { whole: this.map.picture }),
      ...(style && { style: this.style }),
    };
  }

  /** @param {Step | null} step */
  #swap(step) {
    if (!step) return false;
    if (step.tiles) this.map.writeTiles(step.tiles);
    if (step.whole) this.map.picture = step.whole;
    if (step.style) this.style = step.style;
    return true;
  }
}
