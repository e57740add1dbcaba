/** Which stretch of the text each token made. Tokens of half a character have no stretch of their own. */

const BROKEN = "\ufffd";
const MAX_GAP = 16; // characters that a run of broken tokens may stand for

/** @typedef {{text: string, tokens: number[]}} Segment tokens: their indices, in order */

/**
 * The same from the end: for a text whose beginning no token stands for.
 * @param {string} text
 * @param {string[]} tokens
 * @returns {Segment[]}
 */
export function alignEnd(text, tokens) {
  const last = tokens.length - 1;
  const reversed = align(reverse(text), tokens.map(reverse).reverse());
  return reversed.map((one) => ({ text: reverse(one.text), tokens: one.tokens.map((index) => last - index).reverse() })).reverse();
}

/** By code units, so that it undoes itself. @param {string} text */
const reverse = (text) => text.split("").reverse().join("");

/**
 * @param {string} text as it was sent
 * @param {string[]} tokens as the log probabilities name them
 * @returns {Segment[]} together exactly the text; what is held back yet has no segment
 */
export function align(text, tokens) {
  /** @type {Segment[]} */
  const segments = [];
  /** @type {number[]} */
  let waiting = [];
  let at = 0;
  tokens.forEach((token, index) => {
    const found = token === "" || token.includes(BROKEN) ? -1 : text.indexOf(token, at);
    if (found === -1 || found - at > (waiting.length ? MAX_GAP : 0)) {
      waiting.push(index);
      return;
    }
    if (waiting.length && found > at) segments.push({ text: text.slice(at, found), tokens: waiting });
    waiting = [];
    segments.push({ text: token, tokens: [index] });
    at = found + token.length;
  });
  if (at < text.length) segments.push({ text: text.slice(at), tokens: waiting });
  return segments;
}
