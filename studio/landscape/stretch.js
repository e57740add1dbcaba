/** Label maps of another size: each pixel takes the class of the nearest. */

/** @typedef {{width: number, height: number, data: Uint8Array}} Labels */

/** @param {Labels} labels @param {number} width @param {number} height @returns {Labels} */
export function stretch(labels, width, height) {
  const data = new Uint8Array(width * height);
  for (let y = 0; y < height; y++) {
    const row = Math.floor(((y + 0.5) * labels.height) / height) * labels.width;
    for (let x = 0; x < width; x++) data[y * width + x] = labels.data[row + Math.floor(((x + 0.5) * labels.width) / width)];
  }
  return { width, height, data };
}

/** @param {number} ratio of width to height @param {number} longer side @returns {[number, number]} */
export function sidesOf(ratio, longer) {
  return ratio >= 1 ? [longer, Math.round(longer / ratio)] : [Math.round(longer * ratio), longer];
}
