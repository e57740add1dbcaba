/** The configuration as a form, made from its description. */

import { byId, make } from "../dom.js";
import { FIELDS, GROUPS } from "./config.js";
import { parse } from "./link.js";

/** @typedef {import("./config.js").Field} Field */
/** @typedef {import("./config.js").Values} Values */

/** @param {string} name */
const idOf = (name) => `lab-${name}`;

/** @param {string} name */
const inputOf = (name) => /** @type {HTMLInputElement | HTMLSelectElement} */ (byId(idOf(name)));

export function makeForm() {
  const groups = GROUPS.map(({ title, fields }) => make("fieldset", {}, make("legend", { text: title }), ...fields.map(row)));
  byId("lab-form").replaceChildren(...groups);
}

/** @param {Field} field */
function row(field) {
  const id = idOf(field.name);
  const label = make("label", { for: id, text: field.label, title: field.hint });
  return make("div", { class: "field-row" }, label, field.options ? select(field, id) : number(field, id));
}

/** @param {Field} field @param {string} id */
function select(field, id) {
  const options = (field.options ?? []).map(([value, label]) => make("option", { value, text: label }));
  return make("select", { id, name: field.name }, ...options);
}

/** @param {Field} field @param {string} id */
function number(field, id) {
  return make("input", { id, name: field.name, type: "text", inputmode: field.isWhole ? "numeric" : "decimal", autocomplete: "off", placeholder: field.empty, title: `${field.min} to ${field.max}` });
}

/** @param {Values} values */
export function writeForm(values) {
  for (const [name, value] of Object.entries(values)) {
    inputOf(name).value = value === null ? "" : String(value);
    inputOf(name).removeAttribute("aria-invalid");
  }
}

/** @returns {{values: Values, wrong: Field | null}} */
export function readForm() {
  /** @type {Values} */
  const values = {};
  let wrong = null;
  for (const field of FIELDS) {
    const input = inputOf(field.name);
    const value = parse(field, input.value);
    input.toggleAttribute("aria-invalid", false);
    if (value === undefined) {
      input.setAttribute("aria-invalid", "true");
      wrong ??= field;
    } else values[field.name] = value;
  }
  return { values, wrong };
}

/** @param {Field} field */
export const complain = (field) => `${field.label}: ${field.isWhole ? "a whole number" : "a number"} from ${field.min} to ${field.max}`;
