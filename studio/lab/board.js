/** The figures of a run: losses and measures as charts, and as numbers beside what real data would score. */

import { byId, canvasById } from "../dom.js";
import { drawChart } from "./chart.js";
import { Course } from "./history.js";
import { COLORS } from "./plane.js";

/** @typedef {import("./run.js").Start} Start */
/** @typedef {import("./run.js").Frame} Frame */

const NAMES = ["generator", "discriminator", "kl", "js", "wasserstein", "bins_hit"];
const FLOOR = "#8a6d1d";
const SECOND = "#b8550b";

export class Board {
  /** @type {Start | null} */
  #start = null;
  #course = new Course(NAMES);

  /** @param {Start | null} start */
  start(start) {
    this.#start = start;
    this.#course = new Course(NAMES);
    for (const id of ["step", "steps-per-second", "g-updates", "d-updates"]) byId(`lab-${id}`).textContent = "0";
    for (const name of ["kl", "js", "wasserstein", "on_target", "bins_hit"]) {
      byId(`now-${name}`).textContent = "–";
      byId(`floor-${name}`).textContent = start ? format(name, start.floor[/** @type {keyof import("./run.js").Measures} */ (name)], start.num_bins) : "–";
    }
    byId("times-floor").textContent = "–";
    this.draw();
  }

  /** @param {Frame} frame */
  show(frame) {
    if (!this.#start) return;
    this.#course.add(frame.step, { ...frame.losses, ...frame.measures });
    byId("lab-step").textContent = frame.step.toLocaleString("en");
    byId("lab-steps-per-second").textContent = frame.paused ? "0" : String(Math.round(frame.steps_per_second));
    byId("lab-g-updates").textContent = frame.generator_updates.toLocaleString("en");
    byId("lab-d-updates").textContent = frame.discriminator_updates.toLocaleString("en");
    for (const [name, value] of Object.entries(frame.measures)) byId(`now-${name}`).textContent = format(name, value, this.#start.num_bins);
    const times = frame.measures.wasserstein / this.#start.floor.wasserstein;
    byId("times-floor").textContent = `${times >= 10 ? Math.round(times) : times.toFixed(1)} × the floor`;
    this.draw();
  }

  draw() {
    const floor = this.#start?.floor;
    const course = this.#course;
    drawChart(canvasById("chart-losses"), course, [{ name: "generator", color: COLORS.generated }, { name: "discriminator", color: SECOND }], false);
    const wasserstein = [{ name: "wasserstein", color: COLORS.generated }, ...(floor ? [{ name: "", color: FLOOR, level: floor.wasserstein }] : [])];
    drawChart(canvasById("chart-wasserstein"), course, wasserstein, true);
    const floors = floor ? [{ name: "", color: COLORS.generated, level: floor.kl }, { name: "", color: SECOND, level: floor.js }] : [];
    drawChart(canvasById("chart-divergences"), course, [{ name: "kl", color: COLORS.generated }, { name: "js", color: SECOND }, ...floors.map((one) => ({ ...one, isThin: true }))], true);
    const bins = this.#start ? [{ name: "", color: FLOOR, level: this.#start.num_bins }] : [];
    drawChart(canvasById("chart-coverage"), course, [{ name: "bins_hit", color: COLORS.generated }, ...bins], false);
  }

  /** What a picture of the run says in words. @param {Frame} frame */
  words(frame) {
    const { wasserstein, bins_hit: hit } = frame.measures;
    return `Step ${frame.step}: Wasserstein distance ${wasserstein.toFixed(3)}, floor ${this.#start?.floor.wasserstein.toFixed(3)}; ${hit} of ${this.#start?.num_bins} bins hit.`;
  }
}

/** @param {string} name @param {number} value @param {number} bins */
function format(name, value, bins) {
  if (name === "bins_hit") return `${value} / ${bins}`;
  return name === "on_target" ? `${Math.round(value * 100)} %` : value.toFixed(3);
}
