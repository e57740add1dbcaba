/** What else the model might have written at a token: its likeliest alternatives, as bars. */

import { byId, make } from "../dom.js";

/** @typedef {import("./generation.js").Token} Token */

/** @param {string} token made visible */
export function visible(token) {
  if (token === "") return "(nothing)";
  return token.replaceAll("\n", "↵").replaceAll("\t", "⇥").replaceAll(" ", "␣");
}

/** @param {number} share */
export function percent(share) {
  if (share >= 0.0995) return `${Math.round(share * 100)} %`;
  return share >= 0.001 ? `${(share * 100).toFixed(1)} %` : "< 0.1 %";
}

/** @param {Token | null} token */
export function inspect(token) {
  byId("inspector-empty").hidden = token !== null;
  byId("alternatives").hidden = token === null;
  if (!token) return;
  const isListed = token.top.some((one) => one.token === token.token);
  const listed = isListed ? token.top : [...token.top, token];
  const chosen = make("caption", {}, make("code", { text: visible(token.token) }), ` had ${percent(Math.exp(token.logprob))}`);
  const most = Math.exp(Math.max(...listed.map((one) => one.logprob)));
  const rows = listed.map((one) => row(one.token, Math.exp(one.logprob), most, one.token === token.token));
  byId("alternatives").replaceChildren(chosen, make("tbody", {}, ...rows));
}

/** @param {string} token @param {number} share @param {number} most the longest bar's share @param {boolean} isChosen */
function row(token, share, most, isChosen) {
  const bar = make("span", { class: "bar" });
  bar.style.width = `${Math.max(1, (share / most) * 100)}%`;
  const name = make("th", { scope: "row" }, make("code", { text: visible(token) }), isChosen ? make("span", { class: "visually-hidden", text: " (chosen)" }) : "");
  return make("tr", { class: isChosen ? "is-chosen" : "" }, name, make("td", { class: "bar-cell" }, bar), make("td", { class: "number", text: percent(share) }));
}
