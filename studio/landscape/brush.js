/** Brushes: a shape as half-widths of its rows, stamped along a line. No anti-aliasing: a pixel has one class. */

/** @typedef {"round" | "square" | "diamond"} Shape */
/** @typedef {import("./label_map.js").LabelMap} LabelMap */

/**
 * Half-widths of the rows from −r to r, r = ⌊size / 2⌋.
 * @param {Shape} shape
 * @param {number} size across, in pixels
 */
export function halfWidths(shape, size) {
  const radius = Math.floor(size / 2);
  const rows = new Int16Array(2 * radius + 1);
  for (let y = -radius; y <= radius; y++) {
    if (shape === "square") rows[y + radius] = radius;
    else if (shape === "diamond") rows[y + radius] = radius - Math.abs(y);
    else rows[y + radius] = Math.floor(Math.sqrt((radius + 0.5) ** 2 - y * y));
  }
  return rows;
}

/**
 * @param {LabelMap} map
 * @param {number} x centre
 * @param {number} y
 * @param {Int16Array} rows
 * @param {number} value
 */
export function stamp(map, x, y, rows, value) {
  const radius = (rows.length - 1) / 2;
  for (let row = -radius; row <= radius; row++) {
    const half = rows[row + radius];
    map.span(y + row, x - half, x + half, value);
  }
}

/**
 * Stamp at every pixel of a line, ends included.
 * @param {LabelMap} map
 * @param {{x: number, y: number}} from
 * @param {{x: number, y: number}} to
 * @param {Int16Array} rows
 * @param {number} value
 */
export function stroke(map, from, to, rows, value) {
  const steps = Math.max(Math.abs(to.x - from.x), Math.abs(to.y - from.y), 1);
  for (let step = 0; step <= steps; step++) {
    const share = step / steps;
    stamp(map, Math.round(from.x + (to.x - from.x) * share), Math.round(from.y + (to.y - from.y) * share), rows, value);
  }
}
