/** Picture files as pixels, and pictures of the server as label maps. */

/**
 * Stretch a picture to a square of pixels; colours stay as they are, none are mixed.
 * @param {Blob} blob
 * @param {number} size
 * @returns {Promise<Uint8ClampedArray>} RGBA
 * @throws {Error} for what is no picture
 */
export async function pixelsOf(blob, size) {
  let bitmap;
  try {
    bitmap = await createImageBitmap(blob, { imageOrientation: "from-image", colorSpaceConversion: "none", premultiplyAlpha: "none" });
  } catch {
    throw new Error("this file is not a picture that the browser can read");
  }
  const canvas = new OffscreenCanvas(size, size);
  const context = /** @type {OffscreenCanvasRenderingContext2D} */ (canvas.getContext("2d", { willReadFrequently: true }));
  context.imageSmoothingEnabled = false;
  context.drawImage(bitmap, 0, 0, size, size);
  bitmap.close();
  return context.getImageData(0, 0, size, size).data;
}
