// The pictures of a trace that comes from a file, each looked at before any of them is shown.

import { bytesOf, decoded } from "./picture.js";
import { pngFault } from "./png.js";

/** @import { Event, Picture } from "./contract.js" */

/**
 * What is wrong with the first picture that cannot be shown, as a sentence; null where all can be.
 *
 * @param {Event[]} events
 * @param {(picture: Picture) => Promise<string | null>} [faultOf] of a picture, once for those that are the same
 */
export async function damagedPicture(events, faultOf = faultOfPicture) {
  /** @type {Set<string>} */
  const sound = new Set();
  for (const [index, event] of events.entries()) {
    for (const [name, picture] of picturesOf(event)) {
      const same = `${picture.width_px} ${picture.height_px} ${picture.png_base64}`;
      if (sound.has(same)) continue;
      const fault = await faultOf(picture);
      if (fault) return `Event ${index + 1} of this trace is damaged: ${name} ${fault}.`;
      sound.add(same);
    }
  }
  return null;
}

/** @param {Picture} picture */
async function faultOfPicture(picture) {
  let bytes;
  try {
    bytes = bytesOf(picture);
  } catch {
    return "is no base64";
  }
  const fault = pngFault(bytes, picture.width_px, picture.height_px);
  if (fault) return fault;
  try {
    const bitmap = await decoded(picture);
    const right = bitmap.width === picture.width_px && bitmap.height === picture.height_px;
    bitmap.close();
    return right ? null : "has another size than the trace says";
  } catch {
    return "cannot be decoded";
  }
}

/** @param {Event} event @returns {[string, Picture][]} */
function picturesOf(event) {
  switch (event.type) {
    case "step":
      return event.candidates.flatMap(({ preview }, index) => (preview ? [[`the preview of draw ${index + 1}`, preview]] : []));
    case "image":
    case "finished":
      return [["its picture", event.picture]];
    case "reflection":
      return [["its picture before", event.before], ["its picture after", event.after]];
    default:
      return [];
  }
}
