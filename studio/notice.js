/** Messages at the foot of the page: said to screen readers, gone by themselves unless they are errors. */

import { byId, make } from "./dom.js";

/** @type {Map<string, {element: HTMLElement, timer: number}>} */
const shown = new Map();

/**
 * Show a message; one of the same id takes the place of the former.
 * @param {string} text
 * @param {{id?: string, kind?: "info" | "error", seconds?: number, action?: {label: string, run: () => void}}} [options]
 */
export function notify(text, { id = text, kind = "info", seconds = kind === "error" ? 12 : 5, action } = {}) {
  dismiss(id);
  const close = make("button", { type: "button", class: "notice-close", "aria-label": "Dismiss", text: "×" });
  const element = make("div", { class: `notice notice-${kind}`, role: kind === "error" ? "alert" : "status" }, make("span", { text }), ...(action ? [button(action, id)] : []), close);
  close.addEventListener("click", () => dismiss(id));
  byId("notices").append(element);
  const timer = window.setTimeout(() => dismiss(id), seconds * 1000);
  shown.set(id, { element, timer });
}

/** @param {string} id */
export function dismiss(id) {
  const found = shown.get(id);
  if (!found) return;
  clearTimeout(found.timer);
  found.element.remove();
  shown.delete(id);
}

/** @param {{label: string, run: () => void}} action @param {string} id of the message, which it ends */
function button({ label, run }, id) {
  const act = () => {
    dismiss(id);
    run();
  };
  return make("button", { type: "button", class: "notice-action", text: label, onclick: act });
}
