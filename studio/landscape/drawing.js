/** The sketch: class indices in a square, changed only by horizontal spans, with undo by patches of tiles. */

import { History } from "./history.js";

export const SIZE = 512;
const TILE = 32;

/** @typedef {{left: number, top: number, right: number, bottom: number}} Rect right and bottom are outside */
/** @typedef {Map<number, Uint8Array>} Tiles contents by tile number */

export class Drawing {
  /** @type {Tiles} what the tiles held that were written to since `begin` */
  #before = new Map();
  /** @type {Rect | null} what has changed since it was last taken */
  #dirty = null;

  /** @param {number} [size] a multiple of the tile's 32 */
  constructor(size = SIZE) {
    this.size = size;
    this.data = new Uint8Array(size * size);
    this.history = new History();
  }

  /**
   * Write one row from `left` to `right` (inclusive); what lies outside is cut off.
   * @param {number} y
   * @param {number} left
   * @param {number} right
   * @param {number} value
   */
  span(y, left, right, value) {
    if (y < 0 || y >= this.size || right < 0 || left >= this.size || left > right) return;
    left = Math.max(0, left);
    right = Math.min(this.size - 1, right);
    this.#keep(y, left, right);
    this.data.fill(value, y * this.size + left, y * this.size + right + 1);
    this.#mark({ left, top: y, right: right + 1, bottom: y + 1 });
  }

  /** Everything until `commit` is undone at once. */
  begin() {
    this.#before.clear();
  }

  /** @returns {boolean} whether anything has changed */
  commit() {
    const changed = new Map([...this.#before].filter(([tile, old]) => !equal(old, this.#read(tile))));
    this.#before.clear();
    if (changed.size) this.history.push(changed);
    return changed.size > 0;
  }

  /** Take back what was written since `begin`. */
  cancel() {
    for (const [tile, old] of this.#before) this.#write(tile, old);
    this.#before.clear();
  }

  /**
   * Put another picture in its place, as one step that can be undone.
   * @param {Uint8Array} data
   */
  replace(data) {
    this.begin();
    for (let y = 0; y < this.size; y++) this.#keep(y, 0, this.size - 1);
    this.data.set(data);
    this.#mark({ left: 0, top: 0, right: this.size, bottom: this.size });
    return this.commit();
  }

  undo() {
    return this.#swap(this.history.undo((tiles) => this.#current(tiles)));
  }

  redo() {
    return this.#swap(this.history.redo((tiles) => this.#current(tiles)));
  }

  /** @returns {Rect | null} what has changed since the last call */
  takeDirty() {
    const dirty = this.#dirty;
    this.#dirty = null;
    return dirty;
  }

  /** @param {Tiles | null} tiles */
  #swap(tiles) {
    if (!tiles) return false;
    for (const [tile, content] of tiles) this.#write(tile, content);
    return true;
  }

  /** @param {Iterable<number>} tiles @returns {Tiles} */
  #current(tiles) {
    return new Map([...tiles].map((tile) => [tile, this.#read(tile)]));
  }

  /** @param {number} y @param {number} left @param {number} right */
  #keep(y, left, right) {
    const row = (y >> 5) * (this.size / TILE);
    for (let tile = row + (left >> 5); tile <= row + (right >> 5); tile++) {
      if (!this.#before.has(tile)) this.#before.set(tile, this.#read(tile));
    }
  }

  /** @param {number} tile */
  #corner(tile) {
    const across = this.size / TILE;
    return { left: (tile % across) * TILE, top: Math.floor(tile / across) * TILE };
  }

  /** @param {number} tile */
  #read(tile) {
    const { left, top } = this.#corner(tile);
    const content = new Uint8Array(TILE * TILE);
    for (let y = 0; y < TILE; y++) {
      const start = (top + y) * this.size + left;
      content.set(this.data.subarray(start, start + TILE), y * TILE);
    }
    return content;
  }

  /** @param {number} tile @param {Uint8Array} content */
  #write(tile, content) {
    const { left, top } = this.#corner(tile);
    for (let y = 0; y < TILE; y++) {
      this.data.set(content.subarray(y * TILE, (y + 1) * TILE), (top + y) * this.size + left);
    }
    this.#mark({ left, top, right: left + TILE, bottom: top + TILE });
  }

  /** @param {Rect} rect */
  #mark(rect) {
    const old = this.#dirty ?? rect;
    this.#dirty = {
      left: Math.min(old.left, rect.left),
      top: Math.min(old.top, rect.top),
      right: Math.max(old.right, rect.right),
      bottom: Math.max(old.bottom, rect.bottom),
    };
  }
}

/** @param {Uint8Array} one @param {Uint8Array} other */
function equal(one, other) {
  for (let i = 0; i < one.length; i++) if (one[i] !== other[i]) return false;
  return true;
}
