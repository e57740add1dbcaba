/** Messages at the foot of the page: said to screen readers, gone by themselves unless they are errors. */

import { byId, make } from "./dom.js";

/** @type {Map<string, {element: HTMLElement, timer: number}>} */
const shown = new Map();

/**
 * Show a message; one of the same id takes the place of the former.
 * @param {string} text
 * @param {{id?: string, kind?: "info" | "error", seconds?: number, actions?: {label: string, run: () => void}[]}} [options]
 *   actions: what may be done about it; a button each. With an error that has any it waits, and they have the focus
 */
export function notify(text, { id = text, kind = "info", seconds = kind === "error" ? 12 : 5, actions = [] } = {}) {
  dismiss(id);
  const close = make("button", { class: "notice-close", "aria-label": "Dismiss", text: "×", onclick: () => dismiss(id) });
  const element = make("div", { class: `notice notice-${kind}`, role: kind === "error" ? "alert" : "status" }, make("span", { text }), ...actions.map((one) => button(one, id)), close);
  byId("notices").append(element);
  const asks = kind === "error" && actions.length > 0;
  if (asks) element.querySelector("button")?.focus();
  const timer = asks ? 0 : window.setTimeout(() => dismiss(id), seconds * 1000);
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
  return make("button", { text: label, onclick: act });
}
