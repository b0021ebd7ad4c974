// A trace on disk: the events of one drawing as a JSON array. It is written here and by the `showo` command, and
// opened again without a model.

import { MASK, TRACE_VERSION } from "./contract.js";
import { settingsFault } from "./settings.js";

/** @import { Event } from "./contract.js" */

/** More than any drawing has: 64 steps of 16 paths, their pictures, and reflection. */
const MOST_EVENTS = 5_000;

/** More than any codebook has. */
const MOST_CODES = 2 ** 24;

/** More than any trace has, in bytes: reading it would only stop the page. */
export const MOST_BYTES = 256e6;

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
  if (!integer(events[0].version, 1, TRACE_VERSION)) {
    throw new Error(`This trace has version ${short(events[0].version)}; this page reads versions up to ${TRACE_VERSION}.`);
  }
  if (events.length > MOST_EVENTS) throw new Error(`This file holds ${events.length} events; no drawing has more than ${MOST_EVENTS}.`);
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
      if (!optional(event.notes, notes)) return "notes";
      if (event.begin !== undefined && !listOf(event.begin, positions, (token) => integer(token, MASK, MOST_CODES))) return "begin";
      if (!integer(event.image_side_px, 1, 2048)) return "image_side_px";
      if (!text(event.device) || !text(event.bundle)) return "device";
      return settingsFault(event.settings);
    case "step":
      if (!integer(event.step, 0, 63) || !integer(event.steps, 1, 64)) return "step";
      if (!integer(event.path, 0, 63)) return "path";
      if (!listOf(event.known_before, positions, boolean)) return "known_before";
      if (!Array.isArray(event.candidates) || event.candidates.length === 0 || event.candidates.length > 16) return "candidates";
      if (!integer(event.chosen, 0, event.candidates.length - 1)) return "chosen";
      return event.candidates.every((/** @type {any} */ candidate) => listOf(candidate?.tokens, positions, finite)
        && listOf(candidate.sampled, positions, finite) && optional(candidate.score, finite) && optional(candidate.preview, picture)) ? null : "candidates";
    case "image":
      if (!integer(event.path, 0, 63)) return "path";
      return listOf(event.tokens, positions, finite) && picture(event.picture) && optional(event.score, finite) ? null : "picture";
    case "path_chosen":
      return integer(event.path, 0, 63) ? null : "path";
    case "reflection": {
      if (!integer(event.round, 1, 10) || !integer(event.patch_grid, 1, 64)) return "round";
      const patches = event.patch_grid ** 2;
      if (!listOf(event.patch_scores, patches, finite) || !listOf(event.weak, patches, boolean)) return "patch_scores";
      if (!optional(event.score_before, finite) || !optional(event.score_after, finite) || !finite(event.distance)) return "score";
      if (!boolean(event.kept)) return "kept";
      return picture(event.before) && picture(event.after) ? null : "picture";
    }
    case "reflection_ended":
      if (!integer(event.rounds, 0, 10)) return "rounds";
      return Array.isArray(event.patch_scores) && event.patch_scores.length <= 64 ** 2 && event.patch_scores.every(finite) && text(event.reason) ? null : "patch_scores";
    case "finished":
      if (!picture(event.picture)) return "picture";
      if (!listOf(event.tokens, positions, (token) => integer(token, 0, MOST_CODES))) return "tokens";
      if (!optional(event.verdict, verdict) || !optional(event.unchecked, text)) return "verdict";
      return ["generator_forwards", "reward_forwards", "decoded_pictures", "seconds"].every((name) => finite(event.totals?.[name])) ? null : "totals";
    case "cancelled":
      return integer(event.next_step, 0, 64) ? null : "next_step";
    default:
      return `its type is ${short(event?.type)}`;
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

/** As JSON, in the room of a sentence. @param {unknown} value */
function short(value) {
  const words = JSON.stringify(value) ?? "missing";
  return words.length > 80 ? `${words.slice(0, 80)}…` : words;
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
