/** Which models the server has loaded, and in what state they are. */

import { call } from "./api.js";

/**
 * @typedef {object} Model
 * @property {string} name
 * @property {string} kind
 * @property {boolean} default
 * @property {string} state
 * @property {number} parameters
 * @property {string} training_data
 * @property {string | null} device
 * @property {Record<string, any>} details
 */

/** @type {Promise<Model[]> | null} */
let models = null;

/** @returns {Promise<Model[]>} */
export function allModels() {
  models ??= call("models")
    .then((response) => response.json())
    .then((body) => body.models)
    .catch((error) => {
      models = null;
      throw error;
    });
  return models;
}

/** Ask again, the next time: the server may be another by now. */
export function forgetModels() {
  models = null;
}

/**
 * @param {string} kind
 * @returns {Promise<Model | null>} the default model of a kind
 */
export async function modelOf(kind) {
  const found = (await allModels()).filter((model) => model.kind === kind);
  return found.find((model) => model.default) ?? found[0] ?? null;
}

/** @param {Model} model */
export function modelLine(model) {
  const size = model.parameters >= 1e5 ? `${(model.parameters / 1e6).toFixed(1)} M parameters` : `${model.parameters} parameters`;
  return [model.name, size, model.device ?? model.state].join(" · ");
}
