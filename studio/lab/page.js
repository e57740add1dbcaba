/** The GAN Lab: a 2-D GAN that the server trains while it is looked at. */

import { describe, isAbort } from "../api.js";
import { buttonById, byId, canvasById, check, checkedValue, inputById, onClick } from "../dom.js";
import { dismiss, notify } from "../notice.js";
import { rollSeed } from "../seed.js";
import { Board } from "./board.js";
import { MIN_POINTS, defaults, toConfig } from "./config.js";
import { PointSketch } from "./drawing.js";
import { complain, makeForm, readForm, writeForm } from "./form.js";
import { fromQuery, toQuery } from "./link.js";
import { Plane } from "./plane.js";
import { Run } from "./run.js";

const WORDS_EVERY_MS = 4000; // how often the picture's description changes
/** Steps per second by the slider's place; the last is as quick as the server goes. */
const SPEEDS = [1, 3, 10, 30, 100, 300, 1000];

class LabPage {
  /** @type {Run | null} */
  #run = null;
  #isPlaying = false;
  #query = "";
  #worded = 0;
  /** @type {AbortController | null} */
  #starting = null;

  constructor() {
    makeForm();
    writeForm(defaults());
    this.board = new Board();
    this.plane = new Plane(canvasById("plane"), (layer) => inputById(`layer-${layer}`).checked);
    this.sketch = new PointSketch(canvasById("plane"), () => this.plane.view, () => this.#sketched());
    this.#listen();
  }

  /** @type {import("../shortcuts.js").Shortcuts} */
  get shortcuts() {
    return {
      " ": () => this.#toggle(),
      n: () => this.#step(),
      r: () => this.#reset(),
    };
  }

  /** @param {string} query */
  enter(query) {
    if (query !== this.#query) {
      this.#query = query;
      const { values, points } = fromQuery(query);
      writeForm(values);
      this.sketch.points = points;
      this.#reset();
    }
    this.#showData();
    this.board.draw();
    this.plane.refresh();
  }

  leave() {
    if (this.#isPlaying) this.#pause();
  }

  #listen() {
    onClick("lab-play", () => this.#toggle());
    onClick("lab-step-button", () => this.#step());
    onClick("lab-reset", () => this.#reset());
    onClick("lab-roll", () => {
      inputById("lab-seed").value = String(rollSeed());
      this.#configured();
    });
    onClick("lab-defaults", () => {
      writeForm(defaults());
      this.#configured();
    });
    onClick("lab-link", () => this.#share());
    onClick("lab-clear", () => this.sketch.clear());
    byId("lab-form").addEventListener("change", () => this.#configured());
    byId("lab-form").addEventListener("submit", (event) => event.preventDefault());
    byId("lab-train").addEventListener("change", () => this.#control({ train: checkedValue("train") }));
    const speed = inputById("lab-speed");
    speed.addEventListener("input", () => this.#showSpeed());
    speed.addEventListener("change", () => this.#control({ speed: this.#speed }));
    byId("layers").addEventListener("change", () => this.plane.refresh());
    window.addEventListener("resize", () => {
      this.plane.refresh();
      this.board.draw();
    });
    this.#showSpeed();
  }

  get #speed() {
    return SPEEDS[inputById("lab-speed").valueAsNumber];
  }

  #showSpeed() {
    const text = this.#speed === SPEEDS[SPEEDS.length - 1] ? "full speed" : `${this.#speed} steps/s`;
    byId("lab-speed-value").textContent = text;
    inputById("lab-speed").setAttribute("aria-valuetext", text);
  }

  // ---- playing -------------------------------------------------------------------------------------------

  #toggle() {
    if (this.#isPlaying) this.#pause();
    else this.#play({ paused: false });
  }

  #step() {
    this.#play({ steps: Number(/** @type {HTMLSelectElement} */ (byId("lab-steps")).value) });
  }

  /** Start or go on. @param {import("./run.js").Control} how */
  async #play(how) {
    if (this.#starting) return;
    this.#showPlaying(true);
    if (this.#run) return this.#control(how);
    const { values, wrong } = readForm();
    const tooFew = values.data === "drawn" && this.sketch.points.length < MIN_POINTS;
    if (wrong || tooFew) {
      this.#showPlaying(false);
      notify(wrong ? complain(wrong) : "Draw a distribution on the plane first.", { id: "lab", kind: "error" });
      return;
    }
    await this.#start(toConfig(values, this.sketch.points), how);
  }

  /** @param {Record<string, unknown>} config @param {import("./run.js").Control} how */
  async #start(config, how) {
    const starting = (this.#starting = new AbortController());
    this.#say("starting …");
    this.#showData();
    try {
      const run = await Run.create(config, this.#viewer(), {
        signal: starting.signal,
        onWait: (seconds) => this.#say(`the lab is full; trying again in ${seconds} s`),
      });
      if (starting.signal.aborted) return void run.end();
      await run.control({ ...how, speed: this.#speed, train: checkedValue("train") });
      if (starting.signal.aborted) return void run.end();
      this.#run = run;
      run.watch();
    } catch (error) {
      if (isAbort(error)) return;
      this.#showPlaying(false);
      this.#say("not started");
      notify(describe(error), { id: "lab", kind: "error" });
    } finally {
      if (this.#starting === starting) this.#starting = null;
      this.#showData();
    }
  }

  #pause() {
    this.#showPlaying(false);
    if (this.#run) this.#control({ paused: true });
    else this.#reset();
  }

  /** End the run; the next one begins at the beginning. */
  #reset() {
    this.#starting?.abort();
    this.#starting = null;
    const run = this.#run;
    this.#run = null;
    this.#showPlaying(false);
    this.plane.clear();
    this.board.start(null);
    this.#say("ready");
    this.#showData();
    return run ? run.end() : Promise.resolve();
  }

  /** The form has changed: what runs goes on with it, from the beginning. */
  async #configured() {
    const isPlaying = this.#isPlaying;
    await this.#reset();
    const { wrong } = readForm();
    if (wrong) notify(complain(wrong), { id: "lab", kind: "error" });
    else {
      dismiss("lab");
      if (isPlaying) this.#play({ paused: false });
    }
  }

  /** @param {import("./run.js").Control} change */
  async #control(change) {
    try {
      await this.#run?.control(change);
    } catch (error) {
      notify(describe(error), { id: "lab", kind: "error" });
    }
  }

  /** @returns {import("./run.js").Viewer} */
  #viewer() {
    return {
      onStart: (start) => {
        this.plane.start(start);
        this.board.start(start);
        this.#showData();
      },
      onFrame: (frame) => this.#show(frame),
      onEnd: (reason) => {
        this.#run = null;
        this.#showPlaying(false);
        this.#say(`ended: ${reason}`);
      },
    };
  }

  /** @param {import("./run.js").Frame} frame */
  #show(frame) {
    this.plane.show(frame);
    this.board.show(frame);
    if (frame.paused !== !this.#isPlaying) this.#showPlaying(!frame.paused);
    this.#say(frame.paused ? "paused" : "training");
    if (performance.now() - this.#worded > WORDS_EVERY_MS || frame.paused) {
      this.#worded = performance.now();
      canvasById("plane").setAttribute("aria-label", this.board.words(frame));
    }
  }

  // ---- what stands beside it -----------------------------------------------------------------------------

  /** @param {boolean} isPlaying */
  #showPlaying(isPlaying) {
    this.#isPlaying = isPlaying;
    const button = buttonById("lab-play");
    button.classList.toggle("is-playing", isPlaying);
    byId("lab-play-text").textContent = isPlaying ? "Pause" : "Play";
    button.querySelector("use")?.setAttribute("href", isPlaying ? "#i-pause" : "#i-play");
  }

  /** @param {string} text */
  #say(text) {
    const place = byId("lab-state");
    if (place.textContent !== text) place.textContent = text;
  }

  /** While a distribution is drawn by hand, the plane is for drawing. */
  #showData() {
    const isDrawn = readForm().values.data === "drawn";
    const isOpen = isDrawn && this.#run === null && this.#starting === null;
    this.sketch.open(isOpen);
    this.plane.sketch = isOpen ? this.sketch.points : null;
    byId("lab-draw-bar").hidden = !isOpen;
    byId("plane-empty").hidden = isOpen || this.plane.isStarted;
    byId("plane-empty").textContent = this.#run || this.#starting ? "Starting …" : "Press Play: the server trains as long as you watch.";
    this.#sketched();
  }

  #sketched() {
    if (this.sketch.isOpen) this.plane.sketch = this.sketch.points;
    byId("lab-points").textContent = `${this.sketch.points.length} points`;
    this.plane.refresh();
  }

  async #share() {
    const { values, wrong } = readForm();
    if (wrong) return void notify(complain(wrong), { id: "lab", kind: "error" });
    this.#query = toQuery(values, this.sketch.points);
    history.replaceState(null, "", this.#query ? `#lab?${this.#query}` : "#lab");
    try {
      await navigator.clipboard.writeText(location.href);
      notify("The link is in the address bar, and copied.");
    } catch {
      notify("The link is in the address bar.");
    }
  }
}

export function start() {
  check("train", "both");
  return new LabPage();
}
