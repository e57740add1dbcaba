/** Picture files as pixels: whatever the browser can decode. */

/**
 * @param {Blob} blob
 * @returns {Promise<ImageBitmap>} upright; of an animation the first frame
 * @throws {Error} for what is no picture
 */
export async function bitmapOf(blob) {
  try {
    return await createImageBitmap(blob, { imageOrientation: "from-image", premultiplyAlpha: "none" });
  } catch {
    throw new Error("this file is not a picture that the browser can read");
  }
}

/**
 * @param {ImageBitmap} bitmap
 * @param {number} longer side of the result, at most
 * @returns {{width: number, height: number}} of the same aspect ratio; never more than the bitmap has
 */
export function shapeWithin({ width, height }, longer) {
  const scale = Math.min(1, longer / Math.max(width, height));
  return { width: Math.max(1, Math.round(width * scale)), height: Math.max(1, Math.round(height * scale)) };
}

/**
 * @param {ImageBitmap} bitmap
 * @param {{width: number, height: number}} shape
 * @param {boolean} isSmooth whether pixels are averaged; if not, no colours are mixed
 */
function drawn(bitmap, { width, height }, isSmooth) {
  const canvas = new OffscreenCanvas(width, height);
  const context = /** @type {OffscreenCanvasRenderingContext2D} */ (canvas.getContext("2d", { willReadFrequently: true }));
  context.imageSmoothingEnabled = isSmooth;
  context.imageSmoothingQuality = "high";
  context.drawImage(bitmap, 0, 0, width, height);
  return { canvas, context };
}

/**
 * @param {ImageBitmap} bitmap
 * @param {{width: number, height: number}} shape
 * @returns {Uint8ClampedArray} RGBA
 */
export function pixelsOf(bitmap, shape) {
  return drawn(bitmap, shape, false).context.getImageData(0, 0, shape.width, shape.height).data;
}

/**
 * A smaller copy as a file that the server reads.
 * @param {ImageBitmap} bitmap
 * @param {number} longer side, at most
 * @param {"image/jpeg" | "image/png"} type
 * @returns {Promise<Blob>}
 */
export function smaller(bitmap, longer, type) {
  const isSmooth = type === "image/jpeg";
  return drawn(bitmap, shapeWithin(bitmap, longer), isSmooth).canvas.convertToBlob({ type, quality: 0.95 });
}
