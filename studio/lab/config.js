/** What a lab run can be set to: the fields of the API's configuration, their ranges and defaults. */

/**
 * @typedef {object} Field
 * @property {string} name
 * @property {string} label
 * @property {string | number | null} value by default; null where the server decides by the rest
 * @property {[string | number, string][]} [options] values and their labels
 * @property {number} [min]
 * @property {number} [max]
 * @property {boolean} [isWhole]
 * @property {string} [empty] what an empty input means, where it may be empty
 * @property {string} [hint]
 */
/** @typedef {{title: string, fields: Field[]}} Group */
/** @typedef {Record<string, string | number | null>} Values */
/** @typedef {[number, number]} Point */

/** @type {[string, string][]} */
const OPTIMIZERS = [["adam", "Adam"], ["sgd", "SGD"]];

/** @param {"generator" | "discriminator"} net @param {number} rate @returns {Field[]} */
const network = (net, rate) => [
  { name: `${net}_layers`, label: "Hidden layers", value: 2, min: 0, max: 5, isWhole: true },
  { name: `${net}_width`, label: "Width", value: 64, min: 1, max: 128, isWhole: true },
  { name: `${net}_optimizer`, label: "Optimiser", value: "adam", options: OPTIMIZERS },
  { name: `${net}_rate`, label: "Learning rate", value: rate, min: 0.00001, max: 1 },
  { name: `${net}_updates`, label: "Updates per step", value: 1, min: 1, max: 10, isWhole: true },
];

/** @type {Group[]} */
export const GROUPS = [
  {
    title: "Data and noise",
    fields: [
      {
        name: "data",
        label: "Distribution",
        value: "ring",
        options: [["ring", "Ring"], ["line", "Line"], ["two_gaussians", "Two Gaussians"], ["three_blobs", "Three blobs"], ["spiral", "Spiral"], ["drawn", "Drawn by hand"]],
      },
      { name: "noise", label: "Noise", value: "gaussian", options: [["gaussian", "Gaussian"], ["uniform", "Uniform"]] },
      { name: "noise_dimensions", label: "Dimensions", value: 2, options: [[1, "1-D"], [2, "2-D"]] },
      { name: "batch_size", label: "Batch", value: 256, min: 8, max: 512, isWhole: true },
      { name: "seed", label: "Seed", value: 0, min: 0, max: Number.MAX_SAFE_INTEGER, isWhole: true },
    ],
  },
  {
    title: "Loss",
    fields: [
      {
        name: "loss",
        label: "Loss",
        value: "hinge_r1",
        options: [["hinge_r1", "Hinge + R1"], ["non_saturating", "Non-saturating"], ["log", "Log (original)"], ["least_squares", "Least squares"], ["wasserstein_gp", "Wasserstein + GP"]],
      },
      { name: "penalty", label: "Gradient penalty", value: null, min: 0, max: 100, empty: "by the loss" },
      { name: "activation", label: "Activation", value: "leaky_relu", options: [["leaky_relu", "Leaky ReLU"], ["relu", "ReLU"], ["tanh", "tanh"], ["elu", "ELU"]] },
    ],
  },
  { title: "Generator", fields: network("generator", 0.002) },
  { title: "Discriminator", fields: network("discriminator", 0.004) },
  {
    title: "Schedule",
    fields: [
      { name: "beta1", label: "β₁ / momentum", value: 0, min: 0, max: 0.9999 },
      { name: "beta2", label: "β₂", value: 0.99, min: 0, max: 0.9999 },
      { name: "half_life", label: "Rates halve in", value: 1000, min: 10, max: 1_000_000, isWhole: true, empty: "never", hint: "steps; empty keeps the rates" },
      { name: "average", label: "Averaging", value: 0.99, min: 0, max: 0.9999, hint: "of the generator shown; 0 shows the trained one" },
    ],
  },
];

export const FIELDS = GROUPS.flatMap((group) => group.fields);

/** @returns {Values} */
export const defaults = () => Object.fromEntries(FIELDS.map((field) => [field.name, field.value]));

export const MIN_POINTS = 10;
export const MAX_POINTS = 1000;

/**
 * What the API takes.
 * @param {Values} values
 * @param {Point[]} points
 * @returns {Record<string, unknown>}
 */
export function toConfig(values, points) {
  return values.data === "drawn" ? { ...values, points } : { ...values };
}
