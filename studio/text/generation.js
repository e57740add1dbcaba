/** One generation as it streams in: its text, its tokens with their probabilities, its pace. */

import { ApiError, call } from "../api.js";
import { eventsOf } from "../sse.js";

/** @typedef {{token: string, logprob: number}} Alternative */
/** @typedef {{token: string, logprob: number, top: Alternative[]}} Token */

export class Generation {
  text = "";
  /** @type {Token[]} */
  tokens = [];
  /** @type {number | null} */
  seed = null;
  /** @type {"stop" | "length" | null} */
  finishReason = null;
  /** @type {{prompt_tokens: number, completion_tokens: number, prompt_truncated: boolean} | null} */
  usage = null;
  #asked = performance.now();
  /** @type {number | null} */
  #first = null;
  #last = 0;

  /**
   * @param {Record<string, unknown>} request without `stream`
   * @param {AbortSignal} signal ends it, on the server too
   * @param {() => void} onChange
   * @param {(seconds: number) => void} onWait
   */
  async run(request, signal, onChange, onWait) {
    const response = await call("generate/text", { json: { ...request, stream: true }, signal, onWait });
    let isDone = false;
    for await (const data of eventsOf(response)) {
      isDone = data === "[DONE]";
      if (isDone) break;
      this.#take(JSON.parse(data));
      onChange();
    }
    if (!isDone) throw new ApiError(0, "the stream ended too early");
  }

  /** Milliseconds from asking to the first text. */
  get firstMs() {
    return this.#first === null ? null : this.#first - this.#asked;
  }

  /** Characters per second after the first; null until that can be said. */
  get rate() {
    if (this.#first === null || this.#last - this.#first < 50) return null;
    return (1000 * (this.text.length - this.firstLength)) / (this.#last - this.#first);
  }

  firstLength = 0;

  /** @param {any} event */
  #take(event) {
    if (event.error) throw new ApiError(0, event.error.message, event.error.field);
    if (event.usage) this.usage = event.usage;
    for (const choice of event.choices) {
      this.text += choice.text;
      this.tokens.push(...(choice.logprobs ?? []));
      if (choice.text) this.#tick();
      if (choice.finish_reason) [this.finishReason, this.seed] = [choice.finish_reason, choice.seed];
    }
  }

  #tick() {
    this.#last = performance.now();
    if (this.#first === null) [this.#first, this.firstLength] = [this.#last, this.text.length];
  }
}
