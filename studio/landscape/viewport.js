/** Which part of the label map is seen: zoomed about a point, moved, and never past its edges. */

const MAX_ZOOM = 16;

/** @typedef {{x: number, y: number}} Point */

export class Viewport {
  zoom = 1;
  /** What is at the left and upper edge, in pixels of the map. @type {Point} */
  corner = { x: 0, y: 0 };

  /** @param {{width: number, height: number}} map */
  constructor(map) {
    this.map = map;
  }

  /** @param {Point} share of the frame's width and height @returns {Point} in pixels of the map */
  toMap({ x, y }) {
    return { x: this.corner.x + (x * this.map.width) / this.zoom, y: this.corner.y + (y * this.map.height) / this.zoom };
  }

  /** @param {Point} share of the frame that stays where it is @param {number} factor */
  zoomAt(share, factor) {
    const held = this.toMap(share);
    this.zoom = Math.min(MAX_ZOOM, Math.max(1, this.zoom * factor));
    const moved = this.toMap(share);
    this.#moveTo(this.corner.x + held.x - moved.x, this.corner.y + held.y - moved.y);
  }

  /** The map follows. @param {number} x share of the frame's width @param {number} y */
  pan(x, y) {
    this.#moveTo(this.corner.x - (x * this.map.width) / this.zoom, this.corner.y - (y * this.map.height) / this.zoom);
  }

  /**
   * Fingers have moved: their middle holds the map, their distance zooms it.
   * @param {Point[]} before shares of the frame, one a finger
   * @param {Point[]} after of the same fingers
   */
  pinch(before, after) {
    const [from, to] = [middle(before), middle(after)];
    this.pan(to.x - from.x, to.y - from.y);
    const [wide, wider] = [spread(before, from), spread(after, to)];
    if (wide > 0 && wider > 0) this.zoomAt(to, wider / wide);
  }

  reset() {
    this.zoom = 1;
    this.corner = { x: 0, y: 0 };
  }

  /** @param {number} x @param {number} y */
  #moveTo(x, y) {
    const most = 1 - 1 / this.zoom;
    this.corner = { x: Math.min(most * this.map.width, Math.max(0, x)), y: Math.min(most * this.map.height, Math.max(0, y)) };
  }
}

/** @param {Point[]} points @returns {Point} */
function middle(points) {
  const sum = points.reduce((one, other) => ({ x: one.x + other.x, y: one.y + other.y }));
  return { x: sum.x / points.length, y: sum.y / points.length };
}

/** @param {Point[]} points @param {Point} centre */
const spread = (points, centre) => points.reduce((sum, { x, y }) => sum + Math.hypot(x - centre.x, y - centre.y), 0);
