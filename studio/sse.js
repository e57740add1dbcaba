/** Server-sent events from a fetched body (EventSource can neither POST nor send a key). */

/** Cuts a stream of text into the `data` of its events. */
export class EventParser {
  #rest = "";

  /**
   * @param {string} text the next piece, cut anywhere
   * @returns {string[]} the data of the events that it completes
   */
  push(text) {
    const blocks = (this.#rest + text).split(/\r?\n\r?\n/);
    this.#rest = blocks.pop() ?? "";
    const events = [];
    for (const block of blocks) {
      const lines = block.split(/\r?\n/).filter((line) => line.startsWith("data:"));
      if (lines.length) events.push(lines.map((line) => line.slice(5).replace(/^ /, "")).join("\n"));
    }
    return events;
  }
}

/**
 * The data of each event, as they come.
 * @param {Response} response
 * @returns {AsyncGenerator<string>}
 */
export async function* eventsOf(response) {
  if (!response.body) return;
  const reader = response.body.getReader();
  const decoder = new TextDecoder();
  const parser = new EventParser();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      yield* parser.push(decoder.decode(value, { stream: true }));
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}
