/** The text request, read off its form. */

import { inputById } from "../dom.js";
import { parseSeed, rollSeed } from "../seed.js";

/** A mistake in the form; `field` is the id of the input. */
export class FormError extends Error {
  /** @param {string} message @param {string} field */
  constructor(message, field) {
    super(message);
    this.field = field;
  }
}

/**
 * @param {string} text stop strings, one a line; \n stands for a new line
 * @returns {string[]}
 */
export function parseStops(text) {
  const lines = text.split("\n").filter((line) => line !== "");
  return lines.map((line) => line.replace(/\\(n|t|\\)/g, (_, c) => ({ n: "\n", t: "\t" })[/** @type {"n" | "t"} */ (c)] ?? "\\"));
}

/** @param {string} id @param {string} label */
function whole(id, label) {
  const input = inputById(id);
  if (input.value === "") return null;
  const value = input.valueAsNumber;
  if (!Number.isInteger(value) || !input.checkValidity()) throw new FormError(`${label} goes from ${input.min} to ${input.max}`, id);
  return value;
}

/**
 * @returns {Record<string, unknown>}
 * @throws {FormError}
 */
export function readRequest() {
  const seedText = inputById("text-seed").value;
  const seed = seedText === "" ? rollSeed() : parseSeed(seedText);
  if (seed === null) throw new FormError("The seed is a whole number from 0 to 2^53 − 1", "text-seed");
  const stop = parseStops(inputById("stop").value);
  if (stop.length > 4) throw new FormError("At most four stop strings", "stop");
  return {
    prompt: inputById("prompt").value,
    max_tokens: whole("max-tokens", "The number of tokens") ?? 200,
    temperature: inputById("temperature").valueAsNumber,
    top_k: whole("top-k", "Top-k"),
    top_p: inputById("top-p").valueAsNumber,
    seed,
    stop,
    logprobs: 8,
  };
}
