/** The API key, where the server asks for one: kept for this tab only. */

import { byId, inputById } from "./dom.js";

const NAME = "prospero-key";

/** @returns {string | null} */
export function currentKey() {
  return sessionStorage.getItem(NAME);
}

/** @type {Promise<boolean> | null} */
let asking = null;

/**
 * Ask for a key; several callers share one dialog.
 * @returns {Promise<boolean>} whether one was given
 */
export function askForKey() {
  asking ??= new Promise((resolve) => {
    const dialog = /** @type {HTMLDialogElement} */ (byId("key-dialog"));
    const input = inputById("key-input");
    dialog.returnValue = "";
    dialog.addEventListener(
      "close",
      () => {
        asking = null;
        const given = dialog.returnValue === "ok" && input.value.trim() !== "";
        if (given) sessionStorage.setItem(NAME, input.value.trim());
        input.value = "";
        resolve(given);
      },
      { once: true },
    );
    dialog.showModal();
  });
  return asking;
}
