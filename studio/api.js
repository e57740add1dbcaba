/** The one door to the server: fetch with its errors as exceptions, patience when it is busy, and the key. */

import { askForKey, currentKey } from "./key.js";

const MAX_TRIES = 6;
const MAX_WAIT_SECONDS = 30;
const PATIENCE_SECONDS = [1, 2, 4, 8, 15]; // between tries of what is asked until it is answered
const PASSING = [0, 429, 502, 503, 504]; // statuses of a server that is away or busy; 0 for no answer

/** An answer with a status of 400 or more, as the server words it. */
export class ApiError extends Error {
  /**
   * @param {number} status
   * @param {string} message
   * @param {string | null} field
   * @param {number | null} retryAfter seconds
   */
  constructor(status, message, field = null, retryAfter = null) {
    super(message);
    this.status = status;
    this.field = field;
    this.retryAfter = retryAfter;
  }
}

/**
 * @typedef {object} CallOptions
 * @property {string} [method]
 * @property {unknown} [json] sent as the body
 * @property {BodyInit} [body]
 * @property {Record<string, string>} [headers]
 * @property {AbortSignal} [signal]
 * @property {(seconds: number, error: ApiError) => void} [onWait] told before each wait for a busy server
 * @property {boolean} [keepalive]
 */

/**
 * Call the API; 429 and 503 are tried again after the time that the server names.
 * @param {string} path relative to the page, such as "generate/text"
 * @param {CallOptions} [options]
 * @returns {Promise<Response>} with a status below 400
 */
export async function call(path, options = {}) {
  for (let tries = 1; ; tries++) {
    try {
      return await once(path, options);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      if (error.status === 401 && (await askForKey())) continue;
      const isBusy = error.status === 429 || error.status === 503;
      if (!isBusy || tries >= MAX_TRIES) throw error;
      const seconds = Math.min(error.retryAfter ?? 1, MAX_WAIT_SECONDS);
      options.onWait?.(seconds, error);
      await pause(seconds * 1000, options.signal);
    }
  }
}

/**
 * @param {string} path
 * @param {CallOptions} options
 */
async function once(path, { method, json, body, headers, signal, keepalive }) {
  const key = currentKey();
  const init = /** @type {RequestInit} */ ({
    method: method ?? (json !== undefined || body !== undefined ? "POST" : "GET"),
    headers: { ...(json !== undefined && { "Content-Type": "application/json" }), ...(key && { "X-API-Key": key }), ...headers },
    body: json !== undefined ? JSON.stringify(json) : body,
    signal,
    keepalive,
  });
  let response;
  try {
    response = await fetch(new URL(path, document.baseURI), init);
  } catch (error) {
    if (isAbort(error)) throw error;
    throw unreachable();
  }
  if (response.status < 400) return response;
  throw await toError(response);
}

const unreachable = () => new ApiError(0, "the server can't be reached");

/** An answer's body; it may break off. @param {Response} response */
export async function blobOf(response) {
  try {
    return await response.blob();
  } catch (error) {
    throw isAbort(error) ? error : unreachable();
  }
}

/** Whether an error goes away by itself, with the server's return. @param {unknown} error */
export function isPassing(error) {
  return error instanceof ApiError && PASSING.includes(error.status);
}

/** How long to wait before the next try, in milliseconds. @param {number} tries that failed */
export function patience(tries) {
  return 1000 * PATIENCE_SECONDS[Math.min(tries, PATIENCE_SECONDS.length) - 1];
}

/**
 * Ask until there is an answer.
 * @template T
 * @param {() => Promise<T>} ask
 * @param {(error: unknown) => void} tell told of each try that failed because the server is away
 * @returns {Promise<T>}
 */
export async function persist(ask, tell) {
  for (let tries = 1; ; tries++) {
    try {
      return await ask();
    } catch (error) {
      if (!isPassing(error)) throw error;
      tell(error);
      await pause(patience(tries));
    }
  }
}

/** @param {Response} response */
async function toError(response) {
  const header = response.headers.get("retry-after");
  const retryAfter = header === null || Number.isNaN(Number(header)) ? null : Number(header);
  try {
    const { error } = await response.json();
    return new ApiError(response.status, error.message, error.field, retryAfter);
  } catch {
    return new ApiError(response.status, `the server answered ${response.status}`, null, retryAfter);
  }
}

/** @param {unknown} error */
export function isAbort(error) {
  return error instanceof DOMException && error.name === "AbortError";
}

/**
 * What to tell a person about an error.
 * @param {unknown} error
 */
export function describe(error) {
  if (!(error instanceof ApiError)) return error instanceof Error ? error.message : String(error);
  const text = error.message.charAt(0).toUpperCase() + error.message.slice(1);
  return error.field ? `${text} (${error.field})` : text;
}

/**
 * @param {number} milliseconds
 * @param {AbortSignal} [signal]
 * @returns {Promise<void>}
 */
function pause(milliseconds, signal) {
  return new Promise((resolve, reject) => {
    const stop = () => {
      clearTimeout(timer);
      reject(new DOMException("aborted", "AbortError"));
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", stop);
      resolve();
    }, milliseconds);
    if (signal?.aborted) stop();
    signal?.addEventListener("abort", stop, { once: true });
  });
}
