/** The drawings that this browser keeps (IndexedDB): what they are, and apart from it their histories, which are large. */

const KEPT = 12; // drawings without a name; named ones are kept until they are deleted

/** @typedef {import("./drawing.js").Content} Content */
/** @typedef {Record<string, string | number | boolean>} Desk the tools as they lay */
/** @typedef {Content & {id: string, token: string, changed: number, desk: Desk}} Stored token: of whoever wrote it last */
/** @typedef {{undo: import("./history.js").Step[], redo: import("./history.js").Step[]}} Steps */

export class Store {
  /** @param {IDBDatabase} database */
  constructor(database) {
    this.database = database;
  }

  /** @returns {Promise<Store | null>} null where the browser keeps nothing */
  static async open() {
    try {
      const request = indexedDB.open("prospero", 1);
      request.onupgradeneeded = () => {
        request.result.createObjectStore("drawings", { keyPath: "id" });
        request.result.createObjectStore("histories");
      };
      return new Store(await result(request));
    } catch {
      return null;
    }
  }

  /** @returns {Promise<Stored[]>} the latest first */
  async list() {
    /** @type {Stored[]} */
    const found = await result(this.database.transaction("drawings").objectStore("drawings").getAll());
    return found.sort((one, other) => other.changed - one.changed);
  }

  /** @param {string} id @returns {Promise<{stored: Stored, steps: Steps} | null>} */
  async load(id) {
    const transaction = this.database.transaction(["drawings", "histories"]);
    const [stored, steps] = await Promise.all([
      result(transaction.objectStore("drawings").get(id)),
      result(transaction.objectStore("histories").get(id)),
    ]);
    return stored ? { stored, steps: steps ?? { undo: [], redo: [] } } : null;
  }

  /**
   * Keep a drawing. It is written at once, since the page may be about to go; had somebody else, another tab, written
   * it meanwhile, theirs goes back to its place, and ours to a new one.
   * @param {Stored} stored
   * @param {Steps} steps
   * @param {string} token that it had when we read or wrote it last
   * @returns {Promise<string>} the id that it is kept under
   */
  async save(stored, steps, token) {
    const transaction = this.#write();
    const before = Promise.all([
      result(transaction.objectStore("drawings").get(stored.id)),
      result(transaction.objectStore("histories").get(stored.id)),
    ]);
    put(transaction, stored, steps);
    transaction.commit(); // a page that goes away takes along what isn't committed
    const [[theirs, theirSteps]] = await Promise.all([before, ended(transaction)]);
    let { id } = stored;
    if (theirs && theirs.token !== token) {
      id = newId();
      const repair = this.#write();
      put(repair, theirs, theirSteps);
      put(repair, { ...stored, id }, steps);
      await ended(repair);
    }
    await this.#forgetOldest(id);
    return id;
  }

  /** @param {string} id */
  async remove(id) {
    const transaction = this.#write();
    drop(transaction, id);
    await ended(transaction);
  }

  #write() {
    return this.database.transaction(["drawings", "histories"], "readwrite");
  }

  /** @param {string} current is never forgotten */
  async #forgetOldest(current) {
    const unnamed = (await this.list()).filter((one) => one.name === "" && one.id !== current);
    if (unnamed.length < KEPT) return;
    const transaction = this.#write();
    for (const { id } of unnamed.slice(KEPT - 1)) drop(transaction, id);
    await ended(transaction);
  }
}

/** @param {IDBTransaction} transaction @param {Stored} stored @param {Steps} steps */
function put(transaction, stored, steps) {
  transaction.objectStore("drawings").put(stored);
  transaction.objectStore("histories").put(steps, stored.id);
}

/** @param {IDBTransaction} transaction @param {string} id */
function drop(transaction, id) {
  for (const name of transaction.objectStoreNames) transaction.objectStore(name).delete(id);
}

export const newId = () => Array.from(crypto.getRandomValues(new Uint32Array(3)), (one) => one.toString(36)).join("");

/**
 * @template T
 * @param {IDBRequest<T>} request
 * @returns {Promise<T>}
 */
function result(request) {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

/** @param {IDBTransaction} transaction @returns {Promise<void>} */
function ended(transaction) {
  return new Promise((resolve, reject) => {
    transaction.oncomplete = () => resolve();
    transaction.onabort = transaction.onerror = () => reject(transaction.error);
  });
}
