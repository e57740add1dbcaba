/** The landscape beside the sketch, its latency, and its variations. */

import { buttonById, byId, make, thumb } from "../dom.js";

export class Result {
  #url = "";
  /** @type {number} */
  #busyTimer = 0;

  /**
   * @param {import("./api.js").Answer} landscape
   * @param {number} milliseconds
   */
  async show(landscape, milliseconds) {
    const image = /** @type {HTMLImageElement} */ (byId("result"));
    const old = this.#url;
    this.#url = URL.createObjectURL(landscape.blob);
    image.src = this.#url;
    image.hidden = false;
    byId("result-empty").hidden = true;
    byId("latency").textContent = `${Math.round(milliseconds)} ms`;
    image.alt = `Landscape generated from the sketch with seed ${landscape.seed}`;
    buttonById("save-result").disabled = false;
    await image.decode().catch(() => {}); // the next one may have come already
    URL.revokeObjectURL(old);
  }

  /** @param {boolean} isBusy */
  busy(isBusy) {
    clearTimeout(this.#busyTimer);
    // Quick answers come without a flicker.
    this.#busyTimer = window.setTimeout(() => byId("result-frame").classList.toggle("is-busy", isBusy), isBusy ? 250 : 0);
    byId("result-frame").setAttribute("aria-busy", String(isBusy));
  }

  /** @param {string | null} text why there is no new landscape; null if there is one */
  problem(text) {
    const place = byId("result-problem");
    place.hidden = text === null;
    if (place.textContent !== (text ?? "")) place.textContent = text ?? ""; // what is said already isn't said again
  }

  /** @param {number} share of the pixels that matched no colour of the palette */
  unmatched(share) {
    const place = byId("unmatched");
    place.hidden = share < 0.005;
    const percent = share < 0.1 ? (share * 100).toFixed(1) : Math.round(share * 100);
    place.textContent = `${percent} % of the sketch is in no colour of the palette; it took the class of what is near.`;
  }
}

/**
 * Show variations to choose from.
 * @param {{seed: number, url: string}[]} images
 * @param {(seed: number) => void} adopt
 */
export function showVariations(images, adopt) {
  const buttons = images.map(({ seed, url }) => {
    const picture = make("img", { src: url, alt: `Variation with seed ${seed}`, width: 128, height: 128 });
    return make("li", {}, thumb(picture, String(seed), () => adopt(seed), { title: `Take seed ${seed}` }));
  });
  byId("variations").replaceChildren(...buttons);
  byId("variations").hidden = buttons.length === 0;
}
