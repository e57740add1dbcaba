/** Classes that spread into what is open beside them, a ring at a time. */

/**
 * @param {Uint8Array} data class ids, row by row
 * @param {number} width
 * @param {(at: number) => boolean} isSource
 * @param {Uint8Array} isOpen cleared where a class has come
 * @param {number} [rings]
 */
export function grow(data, width, isSource, isOpen, rings = Infinity) {
  /** @type {number[]} */
  let front = [];
  for (let at = 0; at < data.length; at++) {
    if (isSource(at) && neighbours(at, width, data.length).some((to) => isOpen[to])) front.push(at);
  }
  for (let ring = 0; front.length && ring < rings; ring++) {
    /** @type {number[]} */
    const next = [];
    for (const at of front) {
      for (const to of neighbours(at, width, data.length)) {
        if (!isOpen[to]) continue;
        isOpen[to] = 0;
        data[to] = data[at];
        next.push(to);
      }
    }
    front = next;
  }
}

/** @param {number} at @param {number} width @param {number} length */
export function neighbours(at, width, length) {
  const x = at % width;
  const found = [];
  if (x > 0) found.push(at - 1);
  if (x < width - 1) found.push(at + 1);
  if (at >= width) found.push(at - width);
  if (at + width < length) found.push(at + width);
  return found;
}
