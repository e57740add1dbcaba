/** Maps of other projects: what the server takes them for, and how it is asked to read them as that. */

import { ApiError } from "../api.js";

/** @type {Record<string, string>} */
const PROJECTS = { ade20k: "ADE20K", cocostuff: "COCO-Stuff", gaugan: "GauGAN", siftflow: "SIFT Flow" };

/** @typedef {Record<string, string>} Parameters of the landscape endpoint */

/**
 * @param {unknown} error why a picture was refused
 * @returns {{text: string, readings: [string, Parameters][]} | null} null if it looks like nothing that is known
 */
export function otherReadings(error) {
  if (!(error instanceof ApiError)) return null;
  const [, palette] = error.message.match(/palette=(\w+)/) ?? [];
  if (palette) {
    const name = PROJECTS[palette];
    return { text: `This picture is drawn in the colours of ${name}, not in ours.`, readings: [[`Read it as ${name}`, { palette }]] };
  }
  if (!error.message.includes("labels=ids")) return null;
  const theirs = Object.entries(PROJECTS).map(([palette, name]) => /** @type {[string, Parameters]} */ ([name, { labels: "ids", palette }]));
  return { text: "This looks like a map of label ids. Whose are they?", readings: [["Prospero", { labels: "ids" }], ...theirs] };
}
