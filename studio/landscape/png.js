/** PNG files (W3C PNG, 3rd edition): label maps in indexed colours, and the texts that a file carries. */

import { parseHex } from "./color.js";
import { through } from "./zlib.js";

const SIGNATURE = Uint8Array.of(137, 80, 78, 71, 13, 10, 26, 10);
const CRC = Uint32Array.from({ length: 256 }, (_, n) => {
  for (let k = 0; k < 8; k++) n = n & 1 ? 0xedb88320 ^ (n >>> 1) : n >>> 1;
  return n >>> 0;
});

/**
 * A pixel's index is its class id, the file's palette the classes' colours.
 * @param {{width: number, height: number, data: Uint8Array}} map
 * @param {string[]} colors "#rrggbb" by id
 * @param {[string, string]} [text] a keyword, and what the file carries under it; in ASCII
 * @returns {Promise<Blob>}
 */
export async function encodeIndexed({ width, height, data }, colors, text) {
  const header = new Uint8Array(13);
  const view = new DataView(header.buffer);
  view.setUint32(0, width);
  view.setUint32(4, height);
  header.set([8, 3, 0, 0, 0], 8); // eight bits, indexed
  const rows = new Uint8Array(height * (width + 1)); // each begins with its filter, 0
  for (let y = 0; y < height; y++) rows.set(data.subarray(y * width, (y + 1) * width), y * (width + 1) + 1);
  const parts = [
    SIGNATURE,
    chunk("IHDR", header),
    chunk("PLTE", Uint8Array.from(colors.flatMap(parseHex))),
    ...(text ? [chunk("tEXt", new TextEncoder().encode(text.join("\0")))] : []),
    chunk("IDAT", await through(rows, new CompressionStream("deflate"))),
    chunk("IEND", new Uint8Array(0)),
  ];
  return new Blob(/** @type {BlobPart[]} */ (parts), { type: "image/png" });
}

/**
 * @param {Uint8Array} bytes any file
 * @param {string} keyword
 * @returns {string | null} the text that a PNG carries under it
 */
export function readText(bytes, keyword) {
  if (!SIGNATURE.every((byte, i) => bytes[i] === byte)) return null;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const ascii = (/** @type {number} */ from, /** @type {number} */ to) => new TextDecoder("latin1").decode(bytes.subarray(from, to));
  for (let at = 8; at + 12 <= bytes.length; ) {
    const end = at + 8 + view.getUint32(at);
    if (end > bytes.length) return null;
    if (ascii(at + 4, at + 8) === "tEXt" && ascii(at + 8, at + 9 + keyword.length) === `${keyword}\0`) return ascii(at + 9 + keyword.length, end);
    at = end + 4;
  }
  return null;
}

/** @param {string} type @param {Uint8Array} data */
function chunk(type, data) {
  const bytes = new Uint8Array(data.length + 12);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, data.length);
  for (let i = 0; i < 4; i++) bytes[4 + i] = type.charCodeAt(i);
  bytes.set(data, 8);
  let crc = 0xffffffff;
  for (const byte of bytes.subarray(4, 8 + data.length)) crc = CRC[(crc ^ byte) & 255] ^ (crc >>> 8);
  view.setUint32(8 + data.length, ~crc >>> 0);
  return bytes;
}
