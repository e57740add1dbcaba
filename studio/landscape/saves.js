/** What goes out: the sketch and the whole drawing as files, and a link that holds the drawing itself. */

import { blobOf, call, describe } from "../api.js";
import { byId, inputById, onClick, rememberTick, saveAs } from "../dom.js";
import { notify } from "../notice.js";
import { KEYWORD, pack, toAscii, toLink } from "./portable.js";
import { encodeIndexed } from "./png.js";

/** @typedef {import("./drawing.js").Drawing} Drawing */

/**
 * @param {Drawing} drawing
 * @param {import("./palette.js").Palette} palette
 */
export function startSaves(drawing, palette) {
  onClick("save-sketch", async () => {
    saveAs(await encodeIndexed(drawing.map, palette.colors), `${fileName(drawing.name || "sketch")}.png`);
  });
  onClick("export", async () => {
    const carried = toAscii(await pack(drawing.content));
    saveAs(await encodeIndexed(drawing.map, palette.colors, [KEYWORD, carried]), `${fileName(drawing.name || "drawing")}.prospero.png`);
  });
  for (const format of ["aco", "gpl"]) {
    onClick(`palette-${format}`, () => savePalette(format).catch((error) => notify(describe(error), { kind: "error" })));
  }
  rememberTick("with-sketch");
  onClick("share", () => share(drawing));
  onClick("copy-link", copy);
}

/** @param {string} format */
async function savePalette(format) {
  saveAs(await blobOf(await call(`palette?format=${format}`)), `prospero.${format}`);
}

/** @param {string} name what nothing but letters, digits and the like is left of */
const fileName = (name) => name.replace(/[^\p{L}\p{N}._ -]+/gu, "_").replace(/^\.+/, "") || "drawing";

/** @param {Drawing} drawing */
async function share(drawing) {
  const input = inputById("link");
  input.value = new URL(await toLink(drawing.content), document.baseURI).href;
  byId("link-copied").hidden = true;
  /** @type {HTMLDialogElement} */ (byId("link-dialog")).showModal();
  input.select();
}

/** Without a secure connection browsers have no clipboard of their own; the selected text can be copied still. */
async function copy() {
  inputById("link").select();
  const isCopied = await navigator.clipboard?.writeText(inputById("link").value).then(() => true, () => false);
  byId("link-copied").hidden = false;
  byId("link-copied").textContent = (isCopied ?? document.execCommand("copy")) ? "Copied." : "Press Ctrl+C to copy it.";
}
