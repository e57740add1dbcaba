/** The result that follows the sketch: at most one request in flight, none too often, no answer out of date. */

export const DELAY_MS = 150;

/**
 * @template T
 * @typedef {object} LiveOptions
 * @property {(signal: AbortSignal) => Promise<T>} send asks for what is wanted now
 * @property {(answer: T, milliseconds: number, isSettled: boolean) => void} show isSettled: not in the middle of a stroke
 * @property {(error: unknown, tries: number) => number | null} fail told how often it has failed in a row; gives the
 *   milliseconds after which to ask again, or null for not by itself
 * @property {(isBusy: boolean) => void} [busy]
 * @property {number} [delay] between a change and its request while further changes come
 */

/** @template T */
export class Live {
  #isWanted = false;
  #isSettled = true;
  #tries = 0;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;
  /** @type {AbortController | null} */
  #inFlight = null;

  /** @param {LiveOptions<T>} options */
  constructor(options) {
    this.options = options;
  }

  /** In the middle of a stroke: ask soon, after the request in flight, whose answer is still of use. */
  changed() {
    this.#isWanted = true;
    this.#isSettled = false;
    if (!this.#inFlight) this.#timer ??= setTimeout(() => this.#ask(), this.options.delay ?? DELAY_MS);
  }

  /** After a stroke or another choice: ask now; the answer in flight is out of date. */
  settle() {
    this.#isSettled = true;
    this.#inFlight?.abort();
    this.#inFlight = null;
    this.#ask();
  }

  /** Ask now, if the last try failed. */
  retry() {
    if (this.#tries && !this.#inFlight) this.#ask();
  }

  /** Want nothing any more. */
  stop() {
    this.#isWanted = false;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#inFlight?.abort();
    this.#inFlight = null;
    this.options.busy?.(false);
  }

  async #ask() {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#isWanted = false;
    const asked = new AbortController();
    const isSettled = this.#isSettled;
    this.#inFlight = asked;
    this.options.busy?.(true);
    const began = performance.now();
    try {
      const answer = await this.options.send(asked.signal);
      if (this.#inFlight === asked) {
        this.#tries = 0;
        this.options.show(answer, performance.now() - began, isSettled);
      }
    } catch (error) {
      if (this.#inFlight === asked) this.#again(this.options.fail(error, ++this.#tries));
    } finally {
      if (this.#inFlight === asked) {
        this.#inFlight = null;
        this.options.busy?.(false);
        if (this.#isWanted && this.#timer === undefined) this.#ask();
      }
    }
  }

  /** @param {number | null} milliseconds */
  #again(milliseconds) {
    if (milliseconds !== null) this.#timer = setTimeout(() => this.#ask(), milliseconds);
  }
}
