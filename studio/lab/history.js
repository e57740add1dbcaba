/** The course of a run: figures by step, thinned out evenly as they grow many. */

export const MAX_POINTS = 600;

export class Course {
  /** @type {number[]} */
  steps = [];
  /** @type {Record<string, (number | null)[]>} by name, as long as `steps` */
  values = {};
  #every = 1;
  #seen = 0;
  #latest = -1;

  /** @param {string[]} names */
  constructor(names) {
    for (const name of names) this.values[name] = [];
  }

  /**
   * @param {number} step
   * @param {Record<string, number | null>} figures
   */
  add(step, figures) {
    if (step <= this.#latest) return; // nothing was trained since
    this.#latest = step;
    if (this.#seen++ % this.#every !== 0) return;
    this.steps.push(step);
    for (const name of Object.keys(this.values)) this.values[name].push(figures[name] ?? null);
    if (this.steps.length > MAX_POINTS) this.#thin();
  }

  #thin() {
    const keep = (/** @type {unknown} */ _, /** @type {number} */ index) => index % 2 === 0;
    this.steps = this.steps.filter(keep);
    for (const name of Object.keys(this.values)) this.values[name] = this.values[name].filter(keep);
    this.#every *= 2;
  }
}
