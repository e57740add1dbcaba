/** Keeps the drawing as it changes, so that a reload, a crash or the way back find it; and the last few beside it. */

import { Store, newId } from "./store.js";

const PAUSE_MS = 250; // after a write; strokes that come meanwhile are kept together
const CURRENT = "prospero-drawing"; // of this tab

/** @typedef {import("./drawing.js").Content} Content */
/** @typedef {import("./store.js").Desk} Desk */

export class Keeper {
  #id = newId();
  #token = "";
  #hasChanged = false;
  /** @type {ReturnType<typeof setTimeout> | undefined} until the next write */
  #pause;
  /** @type {Promise<void>} the write in progress */
  #writing = Promise.resolve();

  /**
   * @param {Store | null} store
   * @param {import("./drawing.js").Drawing} drawing
   * @param {() => Desk} desk how the tools lie
   * @param {{kept: () => void, moved: () => void, failed: (error: unknown) => void}} tell
   *   moved: another tab had changed the drawing, so ours is a new one now
   */
  constructor(store, drawing, desk, tell) {
    this.store = store;
    this.drawing = drawing;
    this.desk = desk;
    this.tell = tell;
    document.addEventListener("visibilitychange", () => document.visibilityState === "hidden" && this.flush());
    window.addEventListener("pagehide", () => this.flush());
  }

  get id() {
    return this.#id;
  }

  /** Go on with this tab's drawing, or with the latest. @returns {Promise<Desk | null>} null if there is none */
  async resume() {
    const own = sessionStorage.getItem(CURRENT);
    return (own !== null && (await this.open(own))) || this.open((await this.list())[0]?.id ?? "");
  }

  /** @param {string} id @returns {Promise<Desk | null>} null if it isn't there */
  async open(id) {
    await this.flush();
    const found = await this.store?.load(id);
    if (!found) return null;
    this.drawing.become(found.stored);
    this.drawing.history.restore(found.steps);
    this.#is(id, found.stored.token);
    return found.stored.desk;
  }

  /** A new drawing; it is kept once it is touched. @param {Content} content */
  async begin(content) {
    await this.flush();
    this.drawing.become(content);
    this.#is(newId(), "");
  }

  /** @returns {Promise<import("./store.js").Stored[]>} the latest first */
  async list() {
    return (await this.store?.list()) ?? [];
  }

  /** @param {string} id @returns {Promise<() => Promise<void>>} brings it back */
  async remove(id) {
    if (id === this.#id) await this.flush();
    const found = await this.store?.load(id);
    await this.store?.remove(id);
    this.tell.kept();
    return async () => {
      if (found) await this.store?.save(found.stored, found.steps, "");
      this.tell.kept();
    };
  }

  /** The drawing has changed: it is kept at once, since a browser need not tell a page that it goes. */
  touch() {
    this.#hasChanged = true;
    if (this.#pause === undefined) this.flush();
  }

  /** Keep now what has changed. */
  async flush() {
    if (this.#hasChanged) {
      this.#hasChanged = false;
      clearTimeout(this.#pause);
      this.#pause = setTimeout(() => {
        this.#pause = undefined;
        this.flush();
      }, PAUSE_MS);
      this.#writing = this.#write(this.#writing);
    }
    return this.#writing;
  }

  /** @param {Promise<void>} former */
  async #write(former) {
    if (!this.store) return;
    const stored = { ...this.drawing.content, id: this.#id, token: newId(), changed: Date.now(), desk: this.desk() };
    const steps = this.drawing.storedHistory;
    const token = this.#token;
    this.#is(stored.id, stored.token);
    try {
      const saving = this.store.save(stored, steps, token); // not after the former: the page may be about to go
      await former;
      const id = await saving;
      if (id !== stored.id && this.#id === stored.id) {
        this.#is(id, stored.token);
        this.tell.moved();
      }
      this.tell.kept();
    } catch (error) {
      this.tell.failed(error);
    }
  }

  /** @param {string} id @param {string} token */
  #is(id, token) {
    this.#id = id;
    this.#token = token;
    sessionStorage.setItem(CURRENT, id);
  }
}
