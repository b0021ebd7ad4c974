// A trace on disk: the events of one drawing as a JSON array. It is written here and by the `showo` command, and
// opened again without a model.

import { TRACE_VERSION } from "./contract.js";

/** @import { Event } from "./contract.js" */

/** @param {Event[]} events */
export function toFile(events) {
  return new Blob([JSON.stringify(events)], { type: "application/json" });
}

/**
 * The events in a file. Every field that the page draws from is looked at first: a file comes from anywhere.
 *
 * @param {string} text
 * @returns {Event[]}
 * @throws {Error} one sentence that says what is wrong and where
 */
export function fromFile(text) {
  let events;
  try {
    events = JSON.parse(text);
  } catch {
    throw new Error("This file is not JSON.");
  }
  if (!Array.isArray(events)) throw new Error("This file is not a trace: it holds no list of events.");
  if (events[0]?.type !== "started") throw new Error("This file is not a trace: its first event is not “started”.");
  if (events[0].version !== TRACE_VERSION) {
    throw new Error(`This trace has version ${events[0].version}; this page reads version ${TRACE_VERSION}.`);
  }
  const positions = integer(events[0].grid, 1, 64) ? events[0].grid ** 2 : 0;
  events.forEach((event, index) => {
    const fault = faultOf(event, positions);
    if (fault) throw new Error(`Event ${index + 1} of this trace is damaged: ${fault}.`);
  });
  return events;
}

/**
 * @param {any} event
 * @param {number} positions
 * @returns {string | null} what is wrong with it
 */
function faultOf(event, positions) {
  switch (event?.type) {
    case "started":
      if (!positions) return "grid";
      if (typeof event.settings?.prompt !== "string" || typeof event.settings.verifier !== "string") return "settings";
      if (!["seed", "steps", "guidance_scale", "temperature", "candidates"].every((name) => finite(event.settings[name]))) return "settings";
      if (!optional(event.notes, notes)) return "notes";
      if (event.settings.reflection && !["threshold", "epsilon", "rounds", "patch_grid"].every((name) => finite(event.settings.reflection[name]))) return "settings.reflection";
      return null;
    case "step":
      if (!integer(event.step, 0, 63) || !integer(event.steps, 1, 64)) return "step";
      if (!listOf(event.known_before, positions, boolean)) return "known_before";
      if (!Array.isArray(event.candidates) || event.candidates.length === 0 || event.candidates.length > 16) return "candidates";
      if (!integer(event.chosen, 0, event.candidates.length - 1)) return "chosen";
      return event.candidates.every((/** @type {any} */ candidate) => listOf(candidate?.tokens, positions, finite)
        && listOf(candidate.sampled, positions, finite) && optional(candidate.score, finite) && optional(candidate.preview, picture)) ? null : "candidates";
    case "image":
      return listOf(event.tokens, positions, finite) && picture(event.picture) && optional(event.score, finite) ? null : "picture";
    case "path_chosen":
      return integer(event.path, 0, 63) ? null : "path";
    case "reflection": {
      if (!integer(event.round, 1, 10) || !integer(event.patch_grid, 1, 64)) return "round";
      const patches = event.patch_grid ** 2;
      if (!listOf(event.patch_scores, patches, finite) || !listOf(event.weak, patches, boolean)) return "patch_scores";
      if (!optional(event.score_before, finite) || !optional(event.score_after, finite) || !finite(event.distance)) return "score";
      return picture(event.before) && picture(event.after) ? null : "picture";
    }
    case "reflection_ended":
      return Array.isArray(event.patch_scores) && event.patch_scores.every(finite) && typeof event.reason === "string" ? null : "patch_scores";
    case "finished":
      if (!picture(event.picture)) return "picture";
      if (!optional(event.verdict, verdict) || !optional(event.unchecked, text)) return "verdict";
      return ["generator_forwards", "reward_forwards", "decoded_pictures", "seconds"].every((name) => finite(event.totals?.[name])) ? null : "totals";
    case "cancelled":
      return integer(event.next_step, 0, 64) ? null : "next_step";
    default:
      return `its type is ${JSON.stringify(event?.type)}`;
  }
}

/** @param {any} value */
function picture(value) {
  return integer(value?.width_px, 1, 2048) && integer(value?.height_px, 1, 2048)
    && typeof value.png_base64 === "string" && /^[A-Za-z0-9+/]+=*$/.test(value.png_base64);
}

/** @param {any} value */
function verdict(value) {
  return boolean(value.accepted) && optional(value.exact, boolean) && text(value.sentence);
}

/** @param {any} value */
function notes(value) {
  return Array.isArray(value) && value.length <= 64 && value.every(text);
}

/** @param {any} value */
function text(value) {
  return typeof value === "string" && value.length <= 4000;
}

/** @param {any} value @param {number} lowest @param {number} highest */
function integer(value, lowest, highest) {
  return Number.isInteger(value) && value >= lowest && value <= highest;
}

/** @param {any} value */
function finite(value) {
  return Number.isFinite(value);
}

/** @param {any} value */
function boolean(value) {
  return typeof value === "boolean";
}

/** @param {any} value @param {(value: any) => boolean} check */
function optional(value, check) {
  return value === null || value === undefined || check(value);
}

/** @param {any} value @param {number} length @param {(value: any) => boolean} check */
function listOf(value, length, check) {
  return Array.isArray(value) && value.length === length && value.every(check);
}
