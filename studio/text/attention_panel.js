/** What the model looked at for the token that is selected: asked of the server, and shown. */

import { call, describe, isAbort } from "../api.js";
import { neighbours } from "./attention.js";
import { AttentionView } from "./attention_view.js";

const PATIENCE_MS = 150; // whoever runs along the text with the arrow keys asks only where they stop
const MOST = 8;

/** @typedef {import("./attention.js").Attention} Attention */
/** @typedef {import("./generation.js").Generation} Generation */

export class AttentionPanel {
  /** @type {Map<number, Attention>} */
  #known = new Map();
  /** @type {Record<string, unknown>} */
  #request = {};
  /** @type {Generation | null} */
  #generation = null;
  /** @type {AbortController | null} */
  #asking = null;
  #timer = 0;
  /** Tokens that the model allows in a request; null until that is known. */
  /** @type {number | null} */
  limit = null;

  /** @param {import("./output.js").Output} output */
  constructor(output) {
    this.view = new AttentionView(output);
  }

  /** A new text. @param {Record<string, unknown>} request @param {Generation} generation */
  start(request, generation) {
    this.select(null);
    this.#known.clear();
    [this.#request, this.#generation] = [request, generation];
  }

  /** @param {number | null} index of a token */
  select(index) {
    clearTimeout(this.#timer);
    this.#asking?.abort();
    if (index === null) return this.view.clear();
    const known = this.#known.get(index);
    if (known) return this.view.show(known);
    if (this.limit === 0) return this.view.clear("This model has more heads than can be sent.");
    this.view.say("Asking the model …");
    this.#timer = window.setTimeout(() => this.#ask(index), PATIENCE_MS);
  }

  /** Send the text's request once more: its seed makes the same text of it. @param {number} index */
  async #ask(index) {
    const asking = (this.#asking = new AbortController());
    const tokens = this.#generation?.tokens ?? [];
    const wanted = neighbours(index, tokens.length, Math.min(this.limit ?? MOST, MOST));
    const json = { ...this.#request, max_tokens: wanted[wanted.length - 1] + 1, logprobs: null, attention: wanted };
    try {
      const response = await call("generate/text", { json, signal: asking.signal, onWait: () => this.view.say("The server is busy …") });
      const { choices } = await response.json();
      for (const one of choices[0].attention) if (one.token === tokens[one.index]?.token) this.#known.set(one.index, one);
      const found = this.#known.get(index);
      if (found) this.view.show(found);
      else this.view.clear("The model did not write the same text again, so it can't be said.");
    } catch (error) {
      if (!isAbort(error)) this.view.clear(describe(error));
    }
  }
}
