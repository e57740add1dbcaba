/** A configuration as the query of a link, and back: only what differs from the defaults. */

import { FIELDS, MAX_POINTS, defaults } from "./config.js";

/** @typedef {import("./config.js").Values} Values */
/** @typedef {import("./config.js").Point} Point */

/** Drawn points lie on this grid, so that a link carries them exactly. @param {number} value −1 to 1 */
export const snapCoordinate = (value) => toNumber(toByte(value));

/** @param {number} value */
const toByte = (value) => Math.round(((Math.max(-1, Math.min(1, value)) + 1) / 2) * 255);

/** @param {number} byte */
const toNumber = (byte) => Math.round(((byte / 255) * 2 - 1) * 1e4) / 1e4;

/** @param {Point[]} points */
function packPoints(points) {
  const bytes = points.flat().map((value) => String.fromCharCode(toByte(value)));
  return btoa(bytes.join("")).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

/** @param {string} text @returns {Point[]} */
function unpackPoints(text) {
  const bytes = atob(text.replaceAll("-", "+").replaceAll("_", "/"));
  /** @type {Point[]} */
  const points = [];
  for (let i = 0; i + 1 < bytes.length && points.length < MAX_POINTS; i += 2) {
    points.push([toNumber(bytes.charCodeAt(i)), toNumber(bytes.charCodeAt(i + 1))]);
  }
  return points;
}

/**
 * @param {Values} values
 * @param {Point[]} points
 */
export function toQuery(values, points) {
  const known = defaults();
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(values)) {
    if (value !== known[name]) query.set(name, value === null ? "" : String(value));
  }
  if (values.data === "drawn") query.set("points", packPoints(points));
  return query.toString();
}

/**
 * Links are written by anybody: what is unknown or out of range is passed over.
 * @param {string} text
 * @returns {{values: Values, points: Point[]}}
 */
export function fromQuery(text) {
  const query = new URLSearchParams(text);
  const values = defaults();
  for (const field of FIELDS) {
    const given = query.get(field.name);
    if (given === null) continue;
    const value = parse(field, given);
    if (value !== undefined) values[field.name] = value;
  }
  /** @type {Point[]} */
  let points = [];
  try {
    points = unpackPoints(query.get("points") ?? "");
  } catch {
    // not base64: no points, then
  }
  return { values, points };
}

/**
 * @param {import("./config.js").Field} field
 * @param {string} text
 * @returns {string | number | null | undefined} undefined for what the field can't be
 */
export function parse(field, text) {
  if (field.options) return field.options.map(([value]) => value).find((value) => String(value) === text);
  if (text.trim() === "") return field.empty === undefined ? undefined : null;
  const value = Number(text);
  const isInRange = value >= (field.min ?? -Infinity) && value <= (field.max ?? Infinity);
  return isInRange && (!field.isWhole || Number.isInteger(value)) ? value : undefined;
}
