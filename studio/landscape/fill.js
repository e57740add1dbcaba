/** Areas: flood fill from a pixel, and polygons. */

/** @typedef {import("./label_map.js").LabelMap} LabelMap */
/** @typedef {{x: number, y: number}} Point */

/**
 * Fill the area of one class around a pixel (4-connected), row by row.
 * @param {LabelMap} map
 * @param {number} x
 * @param {number} y
 * @param {number} value
 */
export function floodFill(map, x, y, value) {
  const { data, width, height } = map;
  const old = data[y * width + x];
  if (old === value) return;
  const seeds = [[x, y]];
  while (seeds.length) {
    const [seedX, row] = /** @type {number[]} */ (seeds.pop());
    const start = row * width;
    if (data[start + seedX] !== old) continue;
    let left = seedX;
    let right = seedX;
    while (left > 0 && data[start + left - 1] === old) left--;
    while (right < width - 1 && data[start + right + 1] === old) right++;
    map.span(row, left, right, value);
    for (const next of [row - 1, row + 1]) {
      if (next < 0 || next >= height) continue;
      for (let at = left; at <= right; at++) {
        const isOld = data[next * width + at] === old;
        if (isOld && (at === left || data[next * width + at - 1] !== old)) seeds.push([at, next]);
      }
    }
  }
}

/**
 * Fill a polygon (even-odd); a pixel is inside when its centre is.
 * @param {LabelMap} map
 * @param {Point[]} points
 * @param {number} value
 */
export function fillPolygon(map, points, value) {
  const top = Math.max(0, Math.floor(Math.min(...points.map((p) => p.y))));
  const bottom = Math.min(map.height - 1, Math.ceil(Math.max(...points.map((p) => p.y))));
  for (let y = top; y <= bottom; y++) {
    const crossings = crossingsOf(points, y + 0.5);
    for (let i = 0; i + 1 < crossings.length; i += 2) {
      map.span(y, Math.ceil(crossings[i] - 0.5), Math.ceil(crossings[i + 1] - 0.5) - 1, value);
    }
  }
}

/** @param {Point[]} points @param {number} y */
function crossingsOf(points, y) {
  const crossings = [];
  for (let i = 0; i < points.length; i++) {
    const a = points[i];
    const b = points[(i + 1) % points.length];
    if (a.y <= y !== b.y <= y) crossings.push(a.x + ((y - a.y) / (b.y - a.y)) * (b.x - a.x));
  }
  return crossings.sort((one, other) => one - other);
}
