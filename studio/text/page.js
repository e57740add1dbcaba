/** The text studio: a prompt, and the text that the model goes on with, as it is generated. */

import { ApiError, describe, isAbort } from "../api.js";
import { buttonById, byId, inputById, onClick, saveAs } from "../dom.js";
import { modelLine, modelOf } from "../models.js";
import { notify } from "../notice.js";
import { rollSeed } from "../seed.js";
import { FormError, readRequest } from "./form.js";
import { AttentionPanel } from "./attention_panel.js";
import { Generation } from "./generation.js";
import { inspect } from "./inspector.js";
import { Output } from "./output.js";

/** The inputs of the fields that an error of the server may name. */
const INPUTS = new Map(Object.entries({ prompt: "prompt", max_tokens: "max-tokens", top_k: "top-k", top_p: "top-p", seed: "text-seed", stop: "stop", temperature: "temperature" }));

class TextPage {
  /** @type {AbortController | null} */
  #running = null;
  /** @type {Generation | null} */
  #generation = null;
  #isScheduled = false;

  constructor() {
    this.output = new Output((index, isPinned) => {
      inspect(index === null ? null : (this.#generation?.tokens[index] ?? null));
      this.attention.select(isPinned ? index : null);
    });
    this.attention = new AttentionPanel(this.output);
    byId("text-form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#generate();
    });
    onClick("stop-text", () => this.#stop());
    onClick("regenerate", () => this.#again());
    onClick("text-roll", () => (inputById("text-seed").value = String(rollSeed())));
    onClick("copy-text", () => this.#copy());
    onClick("save-text", () => saveAs(new Blob([this.#whole()], { type: "text/plain" }), "text.txt"));
    for (const id of ["temperature", "top-p"]) {
      const show = () => (byId(`${id}-value`).textContent = inputById(id).valueAsNumber.toFixed(2));
      inputById(id).addEventListener("input", show);
      show();
    }
    const tint = inputById("tint");
    const showTint = () => byId("output").classList.toggle("is-tinted", tint.checked);
    tint.addEventListener("change", showTint);
    showTint();
  }

  /** @type {import("../shortcuts.js").Shortcuts} */
  get shortcuts() {
    return {
      "ctrl+Enter": () => this.#generate(),
      Escape: () => (this.#running ? this.#stop() : this.output.release()),
      r: () => this.#again(),
    };
  }

  enter() {
    modelOf("gpt").then(
      (model) => {
        byId("text-model").textContent = model ? modelLine(model) : "no text model is loaded";
        this.attention.limit = model?.details.max_attention_tokens ?? null;
        byId("text-data").textContent = model ? `Trained on ${model.training_data}.` : "";
      },
      () => {},
    );
  }

  leave() {
    this.#stop();
  }

  /** With another seed. */
  #again() {
    inputById("text-seed").value = String(rollSeed());
    this.#generate();
  }

  async #generate() {
    this.#stop();
    const request = this.#read();
    if (!request) return;
    const running = (this.#running = new AbortController());
    const generation = (this.#generation = new Generation());
    this.output.start(/** @type {string} */ (request.prompt), generation);
    this.attention.start(request, generation);
    this.#state("generating");
    byId("text-seed-used").textContent = String(request.seed);
    try {
      await generation.run(request, running.signal, () => this.#schedule(), (seconds) => this.#state(`the server is busy; again in ${seconds} s`));
      this.#finish(generation);
    } catch (error) {
      if (isAbort(error)) this.#state("stopped");
      else this.#fail(error);
    } finally {
      this.output.update();
      this.#showPace();
      if (this.#running === running) this.#setRunning(null);
    }
  }

  #read() {
    for (const id of INPUTS.values()) inputById(id).removeAttribute("aria-invalid");
    try {
      const request = readRequest();
      this.#problem(null);
      return request;
    } catch (error) {
      if (!(error instanceof FormError)) throw error;
      this.#problem(error.message, error.field);
      return null;
    }
  }

  /** @param {Generation} generation */
  #finish({ finishReason, usage }) {
    const why = finishReason === "stop" ? "ended at a stop string" : "ended at the length asked for";
    this.#state(usage?.prompt_truncated ? `${why}; only the end of the prompt fitted` : why);
  }

  #stop() {
    this.#running?.abort();
    this.#setRunning(null);
  }

  /** @param {unknown} error */
  #fail(error) {
    this.#state("failed");
    const field = error instanceof ApiError && error.field ? INPUTS.get(error.field.split(".")[0]) : undefined;
    this.#problem(describe(error), field);
  }

  /** @param {string | null} text @param {string} [field] */
  #problem(text, field) {
    byId("text-problem").hidden = text === null;
    byId("text-problem").textContent = text ?? "";
    if (!field) return;
    inputById(field).setAttribute("aria-invalid", "true");
    inputById(field).focus();
  }

  /** @param {AbortController | null} running */
  #setRunning(running) {
    this.#running = running;
    buttonById("stop-text").disabled = running === null;
    byId("output").setAttribute("aria-busy", String(running !== null));
  }

  /** @param {string} text */
  #state(text) {
    byId("text-state").textContent = text;
    if (this.#running) this.#setRunning(this.#running);
  }

  /** Show at most once a frame, however quickly the text comes. */
  #schedule() {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    requestAnimationFrame(() => {
      this.#isScheduled = false;
      this.output.update();
      this.#showPace();
    });
  }

  #showPace() {
    const generation = this.#generation;
    if (!generation) return;
    const { firstMs, rate, text, tokens, usage } = generation;
    byId("first-ms").textContent = firstMs === null ? "–" : `${Math.round(firstMs)} ms`;
    byId("rate").textContent = rate === null ? "–" : String(Math.round(rate));
    byId("characters").textContent = String(text.length);
    byId("tokens").textContent = String(usage?.completion_tokens ?? (tokens.length || "–"));
    for (const id of ["copy-text", "save-text", "regenerate"]) buttonById(id).disabled = text === "";
  }

  #whole() {
    return byId("output-prompt").textContent + (this.#generation?.text ?? "");
  }

  async #copy() {
    try {
      await navigator.clipboard.writeText(this.#whole());
      notify("Copied.");
    } catch {
      notify("The browser does not allow copying here.", { kind: "error" });
    }
  }
}

export function start() {
  return new TextPage();
}
