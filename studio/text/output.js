/** The text as it comes, token by token: each can be pointed at, or reached with the arrow keys. */

import { byId, make } from "../dom.js";
import { align, alignEnd } from "./align.js";

/** @typedef {import("./generation.js").Generation} Generation */

export class Output {
  /** @type {Generation | null} */
  #generation = null;
  /** @type {HTMLElement[]} */
  #spans = [];
  /** @type {import("./align.js").Segment[]} */
  #segments = [];
  #selected = -1;
  #isPinned = false;

  /** @param {(token: number | null, isPinned: boolean) => void} onSelect told the token's index */
  constructor(onSelect) {
    this.onSelect = onSelect;
    this.box = byId("output");
    this.prompt = byId("output-prompt");
    this.body = byId("output-text");
    this.body.addEventListener("pointerover", (event) => !this.#isPinned && this.#select(this.#indexOf(event.target)));
    this.body.addEventListener("click", (event) => this.#pin(this.#indexOf(event.target)));
    this.box.addEventListener("keydown", (event) => this.#key(event));
  }

  /** @param {string} prompt @param {Generation} generation */
  start(prompt, generation) {
    this.#generation = generation;
    this.#segments = [];
    this.#spans = [];
    this.#isPinned = false;
    this.#select(-1);
    byId("output-empty").hidden = true;
    this.prompt.textContent = prompt;
    this.body.replaceChildren();
  }

  /** Show what has come since; the segments that stand are left alone. */
  update() {
    const generation = this.#generation;
    if (!generation) return;
    const isAtEnd = this.box.scrollHeight - this.box.scrollTop - this.box.clientHeight < 40;
    const names = generation.tokens.map((token) => token.token);
    const segments = align(generation.text, names);
    let same = 0;
    while (same < this.#segments.length && sameSegment(this.#segments[same], segments[same])) same++;
    for (const span of this.#spans.splice(same)) span.remove();
    segments.slice(same).forEach((segment, index) => this.#append(segment, same + index));
    this.#segments = segments;
    if (isAtEnd) this.box.scrollTop = this.box.scrollHeight;
  }

  /**
   * Tint what the model looked at; the next call, or null, takes that back.
   * @param {import("./attention.js").Attention | null} attention
   * @param {number[]} weights of its context
   */
  shade(attention, weights) {
    this.box.classList.toggle("is-shaded", attention !== null);
    for (const span of this.#spans) span.style.removeProperty("--weight");
    if (!attention) {
      this.prompt.textContent = this.prompt.textContent;
      return;
    }
    const numPrompt = Math.max(0, attention.context.length - attention.index);
    const first = attention.index - attention.context.length; // of the context, among the drawn tokens
    const segments = alignEnd(this.prompt.textContent ?? "", attention.context.slice(0, numPrompt));
    const spans = segments.map((segment) => make("span", { text: segment.text }));
    this.prompt.replaceChildren(...spans);
    const most = Math.max(...weights);
    /** @param {HTMLElement} span @param {number[]} places */
    const tint = (span, places) => {
      const share = places.reduce((sum, at) => sum + (weights[at] ?? 0), 0);
      if (share > 0) span.style.setProperty("--weight", Math.sqrt(Math.min(1, share / most)).toFixed(3));
    };
    segments.forEach((segment, at) => tint(spans[at], segment.tokens));
    this.#segments.forEach((segment, at) => tint(this.#spans[at], segment.tokens.map((token) => token - first)));
  }

  /** Let go of the selected token. */
  release() {
    this.#isPinned = false;
    this.#select(-1);
  }

  /** @param {import("./align.js").Segment} segment @param {number} index */
  #append(segment, index) {
    const span = make("span", { class: "token", "data-index": index, text: segment.text });
    const tokens = segment.tokens.map((one) => /** @type {Generation} */ (this.#generation).tokens[one]);
    if (tokens.length) {
      const share = Math.exp(Math.min(...tokens.map((one) => one.logprob)));
      span.dataset.surprise = share > 0.5 ? "0" : share > 0.2 ? "1" : share > 0.05 ? "2" : "3";
    }
    this.#spans.push(span);
    this.body.append(span);
  }

  /** @param {EventTarget | null} target */
  #indexOf(target) {
    const span = target instanceof HTMLElement ? target.closest(".token") : null;
    return span instanceof HTMLElement ? Number(span.dataset.index) : -1;
  }

  /** @param {number} index */
  #pin(index) {
    if (index < 0) return;
    this.#isPinned = !(this.#isPinned && index === this.#selected);
    this.#select(index);
  }

  /** @param {number} index */
  #select(index) {
    if (index === -1 && this.#isPinned) return;
    this.#spans[this.#selected]?.classList.remove("is-selected");
    this.#selected = index;
    this.#spans[index]?.classList.add("is-selected");
    this.onSelect(this.#segments[index]?.tokens[0] ?? null, this.#isPinned);
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!step || !this.#spans.length) return;
    event.preventDefault();
    this.#isPinned = true;
    this.#select(Math.max(0, Math.min(this.#spans.length - 1, this.#selected + step)));
    this.#spans[this.#selected].scrollIntoView({ block: "nearest" });
  }
}

/** @param {import("./align.js").Segment} one @param {import("./align.js").Segment | undefined} other */
function sameSegment(one, other) {
  return other !== undefined && one.text === other.text && one.tokens.length === other.tokens.length;
}
