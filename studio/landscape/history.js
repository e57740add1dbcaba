/** Undo and redo: stacks of patches, run-length coded, of bounded memory. */

export const MAX_BYTES = 8 << 20;

/** @typedef {import("./drawing.js").Tiles} Tiles */
/** @typedef {{tiles: Map<number, Uint8Array>, bytes: number}} Patch coded contents by tile */

export class History {
  /** @type {Patch[]} */
  #undo = [];
  /** @type {Patch[]} */
  #redo = [];

  /** @param {number} [maxBytes] the oldest steps are forgotten beyond this */
  constructor(maxBytes = MAX_BYTES) {
    this.maxBytes = maxBytes;
  }

  get canUndo() {
    return this.#undo.length > 0;
  }

  get canRedo() {
    return this.#redo.length > 0;
  }

  get bytes() {
    return [...this.#undo, ...this.#redo].reduce((sum, patch) => sum + patch.bytes, 0);
  }

  /** @param {Tiles} before what the changed tiles held */
  push(before) {
    this.#redo = [];
    this.#undo.push(pack(before));
    while (this.#undo.length > 1 && this.bytes > this.maxBytes) this.#undo.shift();
  }

  /**
   * @param {(tiles: Iterable<number>) => Tiles} current reads what tiles hold now
   * @returns {Tiles | null} what to write back
   */
  undo(current) {
    return move(this.#undo, this.#redo, current);
  }

  /**
   * @param {(tiles: Iterable<number>) => Tiles} current
   * @returns {Tiles | null}
   */
  redo(current) {
    return move(this.#redo, this.#undo, current);
  }
}

/**
 * @param {Patch[]} from
 * @param {Patch[]} to
 * @param {(tiles: Iterable<number>) => Tiles} current
 */
function move(from, to, current) {
  const patch = from.pop();
  if (!patch) return null;
  to.push(pack(current(patch.tiles.keys())));
  return new Map([...patch.tiles].map(([tile, coded]) => [tile, decode(coded)]));
}

/** @param {Tiles} tiles @returns {Patch} */
function pack(tiles) {
  const coded = new Map([...tiles].map(([tile, content]) => [tile, encode(content)]));
  const bytes = [...coded.values()].reduce((sum, one) => sum + one.length + 32, 0);
  return { tiles: coded, bytes };
}

/** Pairs of (run length − 1, value). @param {Uint8Array} content */
export function encode(content) {
  const runs = [];
  for (let at = 0; at < content.length; ) {
    let end = at + 1;
    while (end < content.length && end - at < 256 && content[end] === content[at]) end++;
    runs.push(end - at - 1, content[at]);
    at = end;
  }
  return Uint8Array.from(runs);
}

/** @param {Uint8Array} coded */
export function decode(coded) {
  let length = 0;
  for (let i = 0; i < coded.length; i += 2) length += coded[i] + 1;
  const content = new Uint8Array(length);
  let at = 0;
  for (let i = 0; i < coded.length; i += 2) {
    content.fill(coded[i + 1], at, (at += coded[i] + 1));
  }
  return content;
}
