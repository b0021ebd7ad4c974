// Pictures from a trace as elements: an image, a canvas of the picture's own size, a file.

import { h } from "./dom.js";

/** @import { Picture } from "./contract.js" */

/** @param {Picture} picture */
export function sourceOf(picture) {
  return `data:image/png;base64,${picture.png_base64}`;
}

/**
 * @param {Picture | null} picture
 * @param {string} alt empty where words beside it say the same
 */
export function imageOf(picture, alt) {
  if (!picture) return h("span", { class: "no-preview" });
  return h("img", { src: sourceOf(picture), alt, width: picture.width_px, height: picture.height_px, draggable: "false" });
}

/** @type {WeakMap<HTMLCanvasElement, symbol>} the newest picture asked of each canvas */
const wanted = new WeakMap();

/**
 * Paints a picture pixel for pixel. Decoding takes a moment: an older picture never overtakes a newer one.
 *
 * @param {HTMLCanvasElement} canvas
 * @param {Picture} picture
 * @param {string} shows written to `data-shows` once the pixels are there
 * @returns {Promise<boolean>} false where the picture is damaged: then there is nothing to see
 */
export async function paint(canvas, picture, shows) {
  const request = Symbol(shows);
  wanted.set(canvas, request);
  const bitmap = await decoded(picture).catch(() => null);
  if (wanted.get(canvas) !== request) return true;
  if (!bitmap) {
    blank(canvas, canvas.width);
    return false;
  }
  canvas.width = picture.width_px;
  canvas.height = picture.height_px;
  canvas.getContext("2d")?.drawImage(bitmap, 0, 0);
  canvas.dataset.shows = shows;
  return true;
}

/** Back to nothing. @param {HTMLCanvasElement} canvas @param {number} side */
export function blank(canvas, side) {
  wanted.delete(canvas);
  canvas.width = side;
  canvas.height = side;
  delete canvas.dataset.shows;
}

/** @param {Picture} picture @throws where it is not base64 */
export function bytesOf(picture) {
  return Uint8Array.from(atob(picture.png_base64), (character) => character.charCodeAt(0));
}

/** The PNG itself. @param {Picture} picture */
export function fileOf(picture) {
  return new Blob([bytesOf(picture)], { type: "image/png" });
}

/** Its pixels. @param {Picture} picture @returns {Promise<ImageBitmap>} rejected where it is damaged */
export async function decoded(picture) {
  return createImageBitmap(fileOf(picture), { colorSpaceConversion: "none" });
}
