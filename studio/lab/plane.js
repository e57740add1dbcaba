/** The plane of the samples: discriminator, manifold, real and generated points, gradients. */

/** @typedef {import("./run.js").Start} Start */
/** @typedef {import("./run.js").Frame} Frame */
/** @typedef {CanvasRenderingContext2D} Context */

export const COLORS = { real: "#0b7a55", generated: "#6a35c9", gradient: "#b3261e" };
const REAL = [62, 180, 137];
const GENERATED = [151, 112, 224];
const ARROW = 0.11; // length of the 95th percentile's gradient, in the plane's units

export class Plane {
  /** @type {Start | null} */
  #start = null;
  /** @type {Frame | null} */
  #frame = null;
  /** @type {import("./config.js").Point[] | null} points drawn by hand, while they are drawn */
  sketch = null;

  /**
   * @param {HTMLCanvasElement} canvas
   * @param {(layer: string) => boolean} isShown
   */
  constructor(canvas, isShown) {
    this.canvas = canvas;
    this.isShown = isShown;
    this.view = 1.25;
    this.scheduled = false;
  }

  /** Whether there is a run to see. */
  get isStarted() {
    return this.#start !== null;
  }

  /** @param {Start} start */
  start(start) {
    this.#start = start;
    this.#frame = null;
    this.view = start.view;
    this.refresh();
  }

  /** @param {Frame} frame */
  show(frame) {
    this.#frame = frame;
    this.refresh();
  }

  clear() {
    this.#start = this.#frame = null;
    this.refresh();
  }

  refresh() {
    if (this.scheduled) return;
    this.scheduled = true;
    requestAnimationFrame(() => {
      this.scheduled = false;
      this.paint();
    });
  }

  paint() {
    const { canvas } = this;
    const width = Math.round(canvas.clientWidth * devicePixelRatio);
    if (!width) return;
    if (canvas.width !== width) canvas.width = canvas.height = width;
    const context = /** @type {Context} */ (canvas.getContext("2d"));
    const scale = width / (2 * this.view);
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.fillStyle = "#ffffff";
    context.fillRect(0, 0, width, width);
    context.setTransform(scale, 0, 0, -scale, width / 2, width / 2); // y upwards
    const pixel = devicePixelRatio / scale;
    const [start, frame] = [this.#start, this.#frame];
    if (frame && start && this.isShown("heat")) drawHeat(context, frame.heat, start.heat_cells, this.view);
    drawAxes(context, this.view, pixel);
    if (frame && start && this.isShown("manifold")) drawManifold(context, frame.manifold, start.manifold_shape, pixel);
    if (start && this.isShown("real")) drawPoints(context, start.real, COLORS.real, 2.1 * pixel, pixel);
    if (frame && this.isShown("generated")) drawPoints(context, frame.generated, COLORS.generated, 2.1 * pixel, pixel);
    if (frame && this.isShown("gradients")) drawGradients(context, frame, pixel);
    if (this.sketch) drawPoints(context, this.sketch.flat(), COLORS.real, 2.6 * pixel, pixel);
  }
}

/** @param {Context} context @param {number[]} heat rows of rising y, 0 generated to 255 real @param {number} cells @param {number} view */
function drawHeat(context, heat, cells, view) {
  const image = new ImageData(cells, cells);
  heat.forEach((value, index) => {
    const lean = (value - 127.5) / 127.5;
    const color = lean > 0 ? REAL : GENERATED;
    const strength = 0.62 * Math.abs(lean);
    for (let c = 0; c < 3; c++) image.data[4 * index + c] = 255 + (color[c] - 255) * strength;
    image.data[4 * index + 3] = 255;
  });
  const small = new OffscreenCanvas(cells, cells);
  /** @type {OffscreenCanvasRenderingContext2D} */ (small.getContext("2d")).putImageData(image, 0, 0);
  context.imageSmoothingEnabled = true;
  context.imageSmoothingQuality = "high";
  context.drawImage(small, -view, -view, 2 * view, 2 * view);
}

/** @param {Context} context @param {number} view @param {number} pixel */
function drawAxes(context, view, pixel) {
  context.strokeStyle = "rgb(20 30 50 / 0.12)";
  context.lineWidth = pixel;
  context.beginPath();
  for (const at of [-1, 0, 1]) {
    context.moveTo(at, -view);
    context.lineTo(at, view);
    context.moveTo(-view, at);
    context.lineTo(view, at);
  }
  context.stroke();
}

/** @param {Context} context @param {number[]} points @param {string} color @param {number} radius @param {number} pixel */
function drawPoints(context, points, color, radius, pixel) {
  context.beginPath();
  for (let i = 0; i < points.length; i += 2) {
    context.moveTo(points[i] + radius, points[i + 1]);
    context.arc(points[i], points[i + 1], radius, 0, 2 * Math.PI);
  }
  context.fillStyle = color;
  context.strokeStyle = "rgb(255 255 255 / 0.75)";
  context.lineWidth = 0.9 * pixel;
  context.stroke();
  context.fill();
}

/** Denser is stronger. @param {number} density */
const opacity = (density) => Math.max(0.04, Math.min(0.6, 0.1 + 0.12 * Math.log10(density + 0.05)));

/** @param {Context} context @param {Frame["manifold"]} manifold @param {number[]} shape vertices each way @param {number} pixel */
function drawManifold(context, { vertices, densities }, shape, pixel) {
  const point = (/** @type {number} */ index) => /** @type {[number, number]} */ ([vertices[2 * index], vertices[2 * index + 1]]);
  if (shape.length === 1) {
    densities.forEach((density, index) => {
      context.beginPath();
      context.moveTo(...point(index));
      context.lineTo(...point(index + 1));
      context.strokeStyle = `rgb(106 53 201 / ${0.25 + opacity(density)})`;
      context.lineWidth = 3 * pixel;
      context.stroke();
    });
    return;
  }
  const [rows, columns] = shape;
  context.lineWidth = 0.5 * pixel;
  context.strokeStyle = "rgb(106 53 201 / 0.28)";
  for (let row = 0; row + 1 < rows; row++) {
    for (let column = 0; column + 1 < columns; column++) {
      const at = row * columns + column;
      context.beginPath();
      for (const corner of [at, at + columns, at + columns + 1, at + 1]) context.lineTo(...point(corner));
      context.closePath();
      context.fillStyle = `rgb(106 53 201 / ${opacity(densities[row * (columns - 1) + column])})`;
      context.fill();
      context.stroke();
    }
  }
}

/** @param {Context} context @param {Frame} frame @param {number} pixel */
function drawGradients(context, { gradients, generated }, pixel) {
  const lengths = [];
  for (let i = 0; i < gradients.length; i += 2) lengths.push(Math.hypot(gradients[i], gradients[i + 1]));
  const long = [...lengths].sort((a, b) => a - b)[Math.floor(0.95 * lengths.length)] || 1;
  context.beginPath();
  for (let i = 0; i < gradients.length; i += 2) {
    const scale = Math.min(ARROW / long, (2 * ARROW) / (lengths[i / 2] || 1));
    const [x, y] = [generated[i], generated[i + 1]];
    const [u, v] = [gradients[i] * scale, gradients[i + 1] * scale];
    if (Math.hypot(u, v) < 2 * pixel) continue;
    context.moveTo(x, y);
    context.lineTo(x + u, y + v);
    for (const side of [1, -1]) {
      context.moveTo(x + u, y + v);
      context.lineTo(x + 0.7 * u - side * 0.2 * v, y + 0.7 * v + side * 0.2 * u);
    }
  }
  context.strokeStyle = COLORS.gradient;
  context.lineWidth = 1.3 * pixel;
  context.stroke();
}
