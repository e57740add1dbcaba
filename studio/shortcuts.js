/** Keyboard shortcuts of the page that is open, and the switch for those of a single key. */

import { byId, inputById, onClick, rememberTick } from "./dom.js";

/** @typedef {Record<string, (event: KeyboardEvent) => void>} Shortcuts by name: "b", "ctrl+z", "ctrl+shift+z", "?" */

/** @type {Shortcuts} */
let active = {};

/** @param {Shortcuts} shortcuts */
export function useShortcuts(shortcuts) {
  active = shortcuts;
}

/** @param {KeyboardEvent} event */
export function nameOf(event) {
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  const isShifted = event.shiftKey && /^[a-z]$|^.{2,}$/.test(key); // "?" is itself, however it is typed
  return [(event.ctrlKey || event.metaKey) && "ctrl", isShifted && "shift", key].filter(Boolean).join("+");
}

/** @param {EventTarget | null} target */
function takesText(target) {
  if (!(target instanceof HTMLElement)) return false;
  const typed = target instanceof HTMLInputElement && !["radio", "checkbox", "range", "button", "file"].includes(target.type);
  return typed || target instanceof HTMLTextAreaElement || target instanceof HTMLSelectElement;
}

/** @param {KeyboardEvent} event */
function onKey(event) {
  if (event.defaultPrevented || event.altKey || document.querySelector("dialog[open]")) return;
  const name = nameOf(event);
  const isSingle = !name.includes("ctrl+") && event.key.length === 1;
  if (isSingle && (takesText(event.target) || !inputById("single-keys").checked)) return;
  if (name.startsWith("ctrl+") && name !== "ctrl+Enter" && takesText(event.target)) return;
  // Space and Enter belong to whatever control has the focus.
  const isOnControl = event.target instanceof HTMLElement && event.target.closest("button, a, input, summary, select");
  if ((event.key === " " || event.key === "Enter") && !event.ctrlKey && isOnControl) return;
  const action = name === "?" ? showHelp : active[name];
  if (!action) return;
  event.preventDefault();
  action(event);
}

function showHelp() {
  /** @type {HTMLDialogElement} */ (byId("help-dialog")).showModal();
}

export function startShortcuts() {
  rememberTick("single-keys");
  document.addEventListener("keydown", onKey);
  onClick("help-button", showHelp);
}
