/** Run-length coding: what undo, storage and the gallery keep label maps in. */

/** Pairs of (run length − 1, value). @param {Uint8Array} content */
export function encode(content) {
  const runs = [];
  for (let at = 0; at < content.length; ) {
    let end = at + 1;
    while (end < content.length && end - at < 256 && content[end] === content[at]) end++;
    runs.push(end - at - 1, content[at]);
    at = end;
  }
  return Uint8Array.from(runs);
}

/** @param {Uint8Array} coded */
export function decode(coded) {
  let length = 0;
  for (let i = 0; i < coded.length; i += 2) length += coded[i] + 1;
  const content = new Uint8Array(length);
  let at = 0;
  for (let i = 0; i < coded.length; i += 2) {
    content.fill(coded[i + 1], at, (at += coded[i] + 1));
  }
  return content;
}
