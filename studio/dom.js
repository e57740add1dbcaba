/** Small helpers over the DOM. */

/**
 * The element with this id; its absence is a mistake in the page.
 * @template {HTMLElement} [T=HTMLElement]
 * @param {string} id
 * @returns {T}
 */
export function byId(id) {
  const found = document.getElementById(id);
  if (!found) throw new Error(`the page has no #${id}`);
  return /** @type {T} */ (found);
}

/** @param {string} id @returns {HTMLInputElement} */
export const inputById = (id) => byId(id);

/** A box that is ticked the next time, too. @param {string} id @param {() => void} [changed] */
export function rememberTick(id, changed) {
  const box = inputById(id);
  const key = `prospero-${id}`;
  box.checked = (localStorage[key] ?? String(box.checked)) === "true";
  box.onchange = () => {
    localStorage[key] = String(box.checked);
    changed?.();
  };
}

/** @param {string} id @returns {HTMLButtonElement} */
export const buttonById = (id) => byId(id);

/** @param {string} id @param {(event: MouseEvent) => void} act */
export const onClick = (id, act) => byId(id).addEventListener("click", act);

/** @param {string} id @returns {HTMLCanvasElement} */
export const canvasById = (id) => byId(id);

/**
 * Make an element. Attributes: `class`, `text`, `on…` listeners, anything else as it is; false and null are left out.
 * @param {string} tag
 * @param {Record<string, any>} [attributes]
 * @param {...(Node | string)} children
 * @returns {HTMLElement}
 */
export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === false || value === null || value === undefined) continue;
    if (name === "text") element.textContent = value;
    else if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...children);
  return element;
}

/**
 * A picture with words below it, to be clicked.
 * @param {HTMLElement} picture
 * @param {string} text
 * @param {() => void} act
 * @param {Record<string, any>} [attributes]
 */
export const thumb = (picture, text, act, attributes) => make("button", { class: "thumb", onclick: act, ...attributes }, picture, make("span", { text }));

/**
 * An icon of the sprite in index.html.
 * @param {string} name
 */
export function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
  use.setAttribute("href", `#i-${name}`);
  svg.append(use);
  return svg;
}

/**
 * The checked value of a group of radio buttons.
 * @param {string} name
 */
export function checkedValue(name) {
  const input = /** @type {HTMLInputElement | null} */ (document.querySelector(`input[name="${name}"]:checked`));
  return input ? input.value : "";
}

/**
 * Check the radio button of this value.
 * @param {string} name
 * @param {string} value
 */
export function check(name, value) {
  const found = document.querySelector(`input[name="${name}"][value="${CSS.escape(value)}"]`);
  if (found) /** @type {HTMLInputElement} */ (found).checked = true;
}

/**
 * Save a blob as a file.
 * @param {Blob} blob
 * @param {string} name
 */
export function saveAs(blob, name) {
  const url = URL.createObjectURL(blob);
  const link = make("a", { href: url, download: name });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}
