/** A stroke's path, smoothed as much forwards as backwards: it neither lags behind nor ends short of the pointer. */

const STEP = 3; // pixels between the points that are averaged, however fast the pointer was
const REACH = 6; // points on either side

/** @typedef {{x: number, y: number}} Point */

export class Smoother {
  /** @type {Point[]} raw, evenly spaced */
  #points = [];
  #given = 1;

  /** @param {Point} from */
  constructor(from) {
    this.#points.push(from);
  }

  /** @param {Point} to where the pointer is now @returns {Point[]} what follows on the smoothed path */
  push(to) {
    for (let from = this.#last(); ; from = this.#last()) {
      const distance = Math.hypot(to.x - from.x, to.y - from.y);
      if (distance < STEP) break;
      this.#points.push({ x: from.x + ((to.x - from.x) * STEP) / distance, y: from.y + ((to.y - from.y) * STEP) / distance });
    }
    return this.#give(this.#points.length - REACH);
  }

  /** @param {Point} to where it came up @returns {Point[]} the rest */
  end(to) {
    const followed = this.push(to);
    if (to.x !== this.#last().x || to.y !== this.#last().y) this.#points.push(to);
    return [...followed, ...this.#give(this.#points.length)];
  }

  #last() {
    return this.#points[this.#points.length - 1];
  }

  /** @param {number} end */
  #give(end) {
    const given = [];
    for (; this.#given < end; this.#given++) given.push(smoothed(this.#points, this.#given));
    return given;
  }
}

/** Fewer neighbours near the ends, as many on either side: the ends themselves stay. @param {Point[]} points @param {number} at */
function smoothed(points, at) {
  const reach = Math.min(REACH, at, points.length - 1 - at);
  let [x, y, total] = [0, 0, 0];
  for (let i = -reach; i <= reach; i++) {
    const weight = reach + 1 - Math.abs(i);
    x += weight * points[at + i].x;
    y += weight * points[at + i].y;
    total += weight;
  }
  return { x: Math.round(x / total), y: Math.round(y / total) };
}
