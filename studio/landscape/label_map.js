/** A label map: class ids row by row, changed by horizontal spans, which remembers what its tiles held before. */

import { decode, encode } from "./runs.js";

const TILE = 32;

/** @typedef {{left: number, top: number, right: number, bottom: number}} Rect right and bottom are outside */
/** @typedef {{width: number, height: number, runs: Uint8Array}} Picture a whole map, run-length coded */

export class LabelMap {
  /** @type {Map<number, Uint8Array>} what the tiles held that were written to since `begin` */
  #before = new Map();
  /** @type {Rect | null} what has changed since it was last taken */
  #dirty = null;

  /** Whether all that is written is written on the other side, too. */
  isMirrored = false;

  /**
   * @param {number} width
   * @param {number} height
   * @param {Uint8Array} [data]
   */
  constructor(width, height, data = new Uint8Array(width * height)) {
    this.width = width;
    this.height = height;
    this.data = data;
    this.#markAll();
  }

  /** @returns {Picture} */
  get picture() {
    return { width: this.width, height: this.height, runs: encode(this.data) };
  }

  /** Become another map, of any size. @param {Picture} picture */
  set picture({ width, height, runs }) {
    this.#before.clear();
    [this.width, this.height, this.data] = [width, height, decode(runs)];
    this.#markAll();
  }

  /**
   * Write one row from `left` to `right` (inclusive); what lies outside is cut off.
   * @param {number} y
   * @param {number} left
   * @param {number} right
   * @param {number} value
   */
  span(y, left, right, value) {
    this.#span(y, left, right, value);
    if (this.isMirrored) this.#span(y, this.width - 1 - right, this.width - 1 - left, value);
  }

  /** @param {number} y @param {number} left @param {number} right @param {number} value */
  #span(y, left, right, value) {
    if (y < 0 || y >= this.height || right < 0 || left >= this.width || left > right) return;
    left = Math.max(0, left);
    right = Math.min(this.width - 1, right);
    this.#keep(y, left, right);
    this.data.fill(value, y * this.width + left, y * this.width + right + 1);
    this.#mark({ left, top: y, right: right + 1, bottom: y + 1 });
  }

  /** What is written from now on is one change. */
  begin() {
    this.#before.clear();
  }

  /** End a change. @returns {Map<number, Uint8Array>} what the tiles held that differ now, run-length coded */
  end() {
    const changed = [...this.#before].filter(([tile, old]) => !equal(old, this.#read(tile)));
    this.#before.clear();
    return new Map(changed.map(([tile, old]) => [tile, encode(old)]));
  }

  /** Take back what was written since `begin`. */
  cancel() {
    for (const [tile, old] of this.#before) this.#write(tile, old);
    this.#before.clear();
  }

  /** @param {Iterable<number>} tiles @returns {Map<number, Uint8Array>} their contents, run-length coded */
  readTiles(tiles) {
    return new Map([...tiles].map((tile) => [tile, encode(this.#read(tile))]));
  }

  /** @param {Map<number, Uint8Array>} tiles as `readTiles` and `end` give them */
  writeTiles(tiles) {
    for (const [tile, coded] of tiles) this.#write(tile, decode(coded));
  }

  /** @returns {Uint32Array} how many pixels each class id has */
  counts() {
    const counts = new Uint32Array(256);
    for (const value of this.data) counts[value]++;
    return counts;
  }

  /** @returns {Rect | null} what has changed since the last call */
  takeDirty() {
    const dirty = this.#dirty;
    this.#dirty = null;
    return dirty;
  }

  /** @param {number} y @param {number} left @param {number} right */
  #keep(y, left, right) {
    const row = Math.floor(y / TILE) * Math.ceil(this.width / TILE);
    for (let tile = row + Math.floor(left / TILE); tile <= row + Math.floor(right / TILE); tile++) {
      if (!this.#before.has(tile)) this.#before.set(tile, this.#read(tile));
    }
  }

  /** Those at the right and lower edges may be smaller. @param {number} tile @returns {Rect} */
  #rectOf(tile) {
    const across = Math.ceil(this.width / TILE);
    const [left, top] = [(tile % across) * TILE, Math.floor(tile / across) * TILE];
    return { left, top, right: Math.min(left + TILE, this.width), bottom: Math.min(top + TILE, this.height) };
  }

  /** @param {number} tile */
  #read(tile) {
    const { left, top, right, bottom } = this.#rectOf(tile);
    const content = new Uint8Array((right - left) * (bottom - top));
    for (let y = top; y < bottom; y++) {
      content.set(this.data.subarray(y * this.width + left, y * this.width + right), (y - top) * (right - left));
    }
    return content;
  }

  /** @param {number} tile @param {Uint8Array} content */
  #write(tile, content) {
    const rect = this.#rectOf(tile);
    const across = rect.right - rect.left;
    for (let y = 0; y < rect.bottom - rect.top; y++) {
      this.data.set(content.subarray(y * across, (y + 1) * across), (rect.top + y) * this.width + rect.left);
    }
    this.#mark(rect);
  }

  #markAll() {
    this.#dirty = { left: 0, top: 0, right: this.width, bottom: this.height };
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
