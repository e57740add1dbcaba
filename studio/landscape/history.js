/** Undo and redo: stacks of steps, of bounded memory. */

export const MAX_BYTES = 8 << 20;
const OVERHEAD = 64; // of a step, in bytes

/**
 * What a step changed, as it was before; each part is there only if it did.
 * @typedef {object} Step
 * @property {Map<number, Uint8Array>} [tiles] run-length coded contents, by tile number
 * @property {import("./label_map.js").Picture} [whole] the whole label map, run-length coded
 * @property {import("./api.js").Style} [style]
 */

export class History {
  /** @type {Step[]} */
  #undo = [];
  /** @type {Step[]} */
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
    return [...this.#undo, ...this.#redo].reduce((sum, step) => sum + bytesOf(step), 0);
  }

  /** @param {Step} before */
  push(before) {
    this.#redo = [];
    this.#undo.push(before);
    let bytes = this.bytes;
    while (this.#undo.length > 1 && bytes > this.maxBytes) bytes -= bytesOf(/** @type {Step} */ (this.#undo.shift()));
  }

  /**
   * @param {(step: Step) => Step} current reads what the parts of a step hold now
   * @returns {Step | null} what to write back
   */
  undo(current) {
    return move(this.#undo, this.#redo, current);
  }

  /**
   * @param {(step: Step) => Step} current
   * @returns {Step | null}
   */
  redo(current) {
    return move(this.#redo, this.#undo, current);
  }

  /** The latest steps that fit, for storage. @param {number} maxBytes */
  latest(maxBytes) {
    const undo = [];
    let bytes = 0;
    for (const step of this.#undo.toReversed()) {
      bytes += bytesOf(step);
      if (bytes > maxBytes) break;
      undo.unshift(step);
    }
    return { undo, redo: [...this.#redo] };
  }

  /** @param {{undo: Step[], redo: Step[]}} steps as `latest` gave them */
  restore({ undo, redo }) {
    this.#undo = [...undo];
    this.#redo = [...redo];
  }
}

/** @param {Step[]} from @param {Step[]} to @param {(step: Step) => Step} current */
function move(from, to, current) {
  const step = from.pop();
  if (!step) return null;
  to.push(current(step));
  return step;
}

/** @param {Step} step */
function bytesOf({ tiles, whole }) {
  const contents = [...(tiles?.values() ?? []), ...(whole ? [whole.runs] : [])];
  return contents.reduce((sum, one) => sum + one.length + OVERHEAD, OVERHEAD);
}
