/** Attention on the page: the text tinted by it, a map of all heads to choose from, and a list in words. */

import { byId, canvasById, make } from "../dom.js";
import { largest, meanOf } from "./attention.js";
import { percent, visible } from "./inspector.js";

const NUM_LISTED = 6;
const CELL_HEIGHT = 20;
const GAP = 3;

/** @typedef {import("./attention.js").Attention} Attention */

/** @param {string} id @returns {HTMLSelectElement} */
const selectById = (id) => byId(id);

export class AttentionView {
  /** @type {Attention | null} */
  #shown = null;

  /** @param {import("./output.js").Output} output */
  constructor(output) {
    this.output = output;
    this.layer = selectById("attention-layer");
    this.head = selectById("attention-head");
    this.map = canvasById("attention-map");
    for (const select of [this.layer, this.head]) select.addEventListener("change", () => this.#draw());
    this.map.addEventListener("click", (event) => this.#choose(event));
    new ResizeObserver(() => this.#drawMap()).observe(this.map);
  }

  /** @param {string} [reason] why there is nothing to show */
  clear(reason = "") {
    this.say(reason);
    if (!this.#shown) return;
    this.#shown = null;
    byId("attention").hidden = true;
    this.output.shade(null, []);
  }

  /** @param {string} text what stands shown stays for now */
  say(text) {
    byId("attention-state").textContent = text;
  }

  /** @param {Attention} attention */
  show(attention) {
    this.#shown = attention;
    byId("attention").hidden = false;
    this.say("");
    fill(this.layer, "All layers", "Layer", attention.weights.length);
    fill(this.head, "All heads", "Head", attention.weights[0].length);
    this.#draw();
  }

  /** @returns {[number | null, number | null]} layer and head that are chosen */
  get #chosen() {
    const [layer, head] = [this.layer.value, this.head.value].map((value) => (value === "" ? null : Number(value)));
    return [layer, head];
  }

  #draw() {
    if (!this.#shown) return;
    const { context, weights } = this.#shown;
    const mean = meanOf(weights, ...this.#chosen);
    this.output.shade(this.#shown, mean);
    const most = Math.max(...mean);
    const rows = largest(mean, NUM_LISTED).map((at) => row(context[at], context.length - at, mean[at], most));
    byId("attention-list").replaceChildren(byId("attention-list").children[0], make("tbody", {}, ...rows));
    this.#drawMap();
  }

  #drawMap() {
    if (!this.#shown || !this.map.clientWidth) return;
    const { weights } = this.#shown;
    const [layer, head] = this.#chosen;
    const width = this.map.clientWidth;
    const height = weights.length * (CELL_HEIGHT + GAP) - GAP;
    this.map.style.height = `${height}px`;
    [this.map.width, this.map.height] = [width * devicePixelRatio, height * devicePixelRatio];
    const paint = /** @type {CanvasRenderingContext2D} */ (this.map.getContext("2d"));
    paint.scale(devicePixelRatio, devicePixelRatio);
    const cell = (width + GAP) / weights[0].length;
    weights.forEach((heads, row) =>
      heads.forEach((one, column) => {
        const isChosen = (layer ?? row) === row && (head ?? column) === column;
        drawCell(paint, one, column * cell, row * (CELL_HEIGHT + GAP), cell - GAP, isChosen);
      }),
    );
  }

  /** A click on a cell chooses its head, another one all heads again. @param {MouseEvent} event */
  #choose(event) {
    if (!this.#shown) return;
    const { weights } = this.#shown;
    const row = Math.min(weights.length - 1, Math.floor(event.offsetY / (CELL_HEIGHT + GAP)));
    const column = Math.min(weights[0].length - 1, Math.floor((event.offsetX / this.map.clientWidth) * weights[0].length));
    const [layer, head] = this.#chosen;
    const isSame = layer === row && head === column;
    [this.layer.value, this.head.value] = isSame ? ["", ""] : [String(row), String(column)];
    this.#draw();
  }
}

/** @param {HTMLSelectElement} select @param {string} all @param {string} name @param {number} count */
function fill(select, all, name, count) {
  if (select.options.length === count + 1) return;
  select.replaceChildren(new Option(all, ""), ...Array.from({ length: count }, (_, at) => new Option(`${name} ${at + 1}`, String(at))));
}

/**
 * One head: the context from left to right, darker where it looked.
 * @param {CanvasRenderingContext2D} paint
 * @param {number[]} weights
 * @param {number} left
 * @param {number} top
 * @param {number} width
 * @param {boolean} isChosen
 */
function drawCell(paint, weights, left, top, width, isChosen) {
  paint.fillStyle = isChosen ? "#fff" : "#f7f5ee";
  paint.fillRect(left, top, width, CELL_HEIGHT);
  const most = Math.max(...weights);
  const step = width / weights.length;
  weights.forEach((weight, at) => {
    paint.fillStyle = `rgb(${isChosen ? "13 100 114" : "120 130 140"} / ${Math.sqrt(weight / most)})`;
    paint.fillRect(left + at * step, top, Math.max(step, 1), CELL_HEIGHT);
  });
  paint.strokeStyle = isChosen ? "#0d6472" : "#d5d0c3";
  paint.strokeRect(left + 0.5, top + 0.5, width - 1, CELL_HEIGHT - 1);
}

/** @param {string} token @param {number} back how many tokens ago @param {number} share @param {number} most */
function row(token, back, share, most) {
  const bar = make("span", { class: "bar" });
  bar.style.width = `${Math.max(1, (share / most) * 100)}%`;
  const name = make("th", { scope: "row" }, make("code", { text: visible(token) }));
  const ago = make("td", { class: "number ago", text: `−${back}` });
  return make("tr", {}, name, ago, make("td", { class: "bar-cell" }, bar), make("td", { class: "number", text: percent(share) }));
}
