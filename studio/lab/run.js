/** A lab run on the server: made, watched, steered, ended. */

import { call } from "../api.js";
import { eventsOf } from "../sse.js";

/**
 * @typedef {object} Start
 * @property {number} view
 * @property {number[]} real x, y, x, y, …
 * @property {number} heat_cells
 * @property {number[]} manifold_shape
 * @property {number} num_bins
 * @property {Measures} floor
 */
/** @typedef {{kl: number, js: number, wasserstein: number, on_target: number, bins_hit: number}} Measures */
/**
 * @typedef {object} Frame
 * @property {number} step
 * @property {number} generator_updates
 * @property {number} discriminator_updates
 * @property {boolean} paused
 * @property {number} steps_per_second
 * @property {{generator: number | null, discriminator: number | null}} losses
 * @property {Measures} measures
 * @property {number[]} generated
 * @property {number[]} gradients
 * @property {number[]} heat
 * @property {{vertices: number[], densities: number[]}} manifold
 */
/** @typedef {{paused?: boolean, steps?: number, speed?: number, train?: string}} Control */

/**
 * @typedef {object} Viewer
 * @property {(start: Start) => void} onStart
 * @property {(frame: Frame) => void} onFrame
 * @property {(reason: string) => void} onEnd
 */

export class Run {
  #gone = new AbortController();

  /** @param {string} id @param {Viewer} viewer */
  constructor(id, viewer) {
    this.id = id;
    this.viewer = viewer;
  }

  /**
   * @param {Record<string, unknown>} config
   * @param {Viewer} viewer
   * @param {{signal: AbortSignal, onWait: (seconds: number) => void}} waiting
   */
  static async create(config, viewer, waiting) {
    const response = await call("lab/runs", { json: config, ...waiting });
    return new Run((await response.json()).id, viewer);
  }

  /** It trains as long as this reads. */
  async watch() {
    try {
      const response = await call(`lab/runs/${this.id}/events`, { signal: this.#gone.signal });
      for await (const data of eventsOf(response)) this.#take(JSON.parse(data));
      this.#end("the connection was lost");
    } catch (error) {
      this.#end(error instanceof Error ? error.message : String(error));
    }
  }

  /** @param {Control} change */
  async control(change) {
    await call(`lab/runs/${this.id}`, { method: "PATCH", json: change, keepalive: true });
  }

  async end() {
    this.#gone.abort();
    await call(`lab/runs/${this.id}`, { method: "DELETE", keepalive: true }).catch(() => {}); // it may have ended itself
  }

  /** @param {any} event */
  #take(event) {
    if (this.#gone.signal.aborted) return;
    if (event.type === "start") this.viewer.onStart(event);
    else if (event.type === "frame") this.viewer.onFrame(event);
    else if (event.type === "end") this.#end(event.reason);
  }

  /** @param {string} reason */
  #end(reason) {
    if (this.#gone.signal.aborted) return;
    this.#gone.abort();
    this.viewer.onEnd(reason);
  }
}
