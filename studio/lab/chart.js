/** A small line chart over the steps of a run. */

/**
 * @typedef {object} Line
 * @property {string} name in the course
 * @property {string} color
 * @property {number} [level] a constant instead: dashed
 * @property {boolean} [isThin]
 */

const LEFT = 44;
const BOTTOM = 18;
const TOP = 8;
const RIGHT = 8;

/**
 * Round values that lie in a range.
 * @param {number} low
 * @param {number} high
 * @param {boolean} isLog
 * @returns {number[]}
 */
export function ticks(low, high, isLog) {
  if (isLog) {
    const powers = Array.from({ length: 12 }, (_, index) => index - 6);
    const inRange = (/** @type {number[]} */ leads) =>
      powers.flatMap((power) => leads.map((lead) => Number(`${lead}e${power}`))).filter((value) => value >= low && value <= high);
    const fine = inRange([1, 2, 5]);
    return fine.length > 5 ? inRange([1]) : fine;
  }
  const rough = (high - low) / 3;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * ([1, 2, 5, 10].find((one) => one * power >= rough) ?? 10);
  const found = [];
  for (let value = Math.ceil(low / step) * step; value <= high + step / 1e6; value += step) found.push(Math.abs(value) < step / 1e6 ? 0 : value);
  return found;
}

/** @param {number} value */
export function short(value) {
  if (value === 0) return "0";
  const size = Math.abs(value);
  if (size >= 10_000) return `${Math.round(value / 1000)}k`;
  return size >= 100 ? String(Math.round(value)) : String(Number(value.toPrecision(2)));
}

/**
 * @param {HTMLCanvasElement} canvas
 * @param {import("./history.js").Course} course
 * @param {Line[]} lines
 * @param {boolean} isLog
 */
export function drawChart(canvas, course, lines, isLog) {
  const [width, height] = [canvas.clientWidth, canvas.clientHeight];
  if (!width) return;
  const ratio = devicePixelRatio;
  if (canvas.width !== Math.round(width * ratio)) [canvas.width, canvas.height] = [Math.round(width * ratio), Math.round(height * ratio)];
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  const range = rangeOf(course, lines, isLog);
  const last = Math.max(10, course.steps[course.steps.length - 1] ?? 10);
  const scale = isLog ? Math.log10 : (/** @type {number} */ value) => value;
  const x = (/** @type {number} */ step) => LEFT + (step / last) * (width - LEFT - RIGHT);
  const y = (/** @type {number} */ value) => height - BOTTOM - ((scale(Math.max(value, range[0])) - scale(range[0])) / (scale(range[1]) - scale(range[0]))) * (height - BOTTOM - TOP);
  drawGrid(context, { width, height, x, y, last, range, isLog });
  for (const line of lines) {
    context.beginPath();
    context.strokeStyle = line.color;
    context.lineWidth = line.isThin ? 1.2 : 1.8;
    context.setLineDash(line.level === undefined ? [] : [5, 4]);
    if (line.level !== undefined) {
      context.moveTo(LEFT, y(line.level));
      context.lineTo(width - RIGHT, y(line.level));
    } else tracePath(context, course, line.name, x, y);
    context.stroke();
  }
  context.setLineDash([]);
}

/** @param {CanvasRenderingContext2D} context @param {import("./history.js").Course} course @param {string} name @param {(step: number) => number} x @param {(value: number) => number} y */
function tracePath(context, course, name, x, y) {
  let isDown = false;
  course.values[name].forEach((value, index) => {
    if (value === null) isDown = false;
    else if (isDown) context.lineTo(x(course.steps[index]), y(value));
    else {
      context.moveTo(x(course.steps[index]), y(value));
      isDown = true;
    }
  });
}

/** @param {import("./history.js").Course} course @param {Line[]} lines @param {boolean} isLog @returns {[number, number]} */
function rangeOf(course, lines, isLog) {
  const values = lines.flatMap((line) => (line.level !== undefined ? [line.level] : course.values[line.name])).filter((value) => value !== null && (!isLog || value > 0));
  if (!values.length) return isLog ? [0.01, 1] : [0, 1];
  const [low, high] = [Math.min(.../** @type {number[]} */ (values)), Math.max(.../** @type {number[]} */ (values))];
  if (isLog) return [Math.max(low, 1e-5) / 1.3, Math.max(high, low * 3) * 1.2];
  const margin = Math.max((high - low) * 0.08, 0.05);
  return [Math.min(low - margin, 0), high + margin];
}

/** @param {CanvasRenderingContext2D} context @param {{width: number, height: number, x: (step: number) => number, y: (value: number) => number, last: number, range: [number, number], isLog: boolean}} frame */
function drawGrid(context, { width, height, x, y, last, range, isLog }) {
  context.font = "11px system-ui, sans-serif";
  context.fillStyle = "#566072";
  context.strokeStyle = "#e6e3dc";
  context.lineWidth = 1;
  context.textAlign = "right";
  context.textBaseline = "middle";
  for (const value of ticks(range[0], range[1], isLog)) {
    const at = Math.round(y(value)) + 0.5;
    context.beginPath();
    context.moveTo(LEFT, at);
    context.lineTo(width - RIGHT, at);
    context.stroke();
    context.fillText(short(value), LEFT - 6, at);
  }
  context.textBaseline = "alphabetic";
  for (const step of ticks(0, last, false)) {
    context.textAlign = step === 0 ? "left" : step > 0.93 * last ? "right" : "center";
    context.fillText(short(step), x(step), height - 4);
  }
}
