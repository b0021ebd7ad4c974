// What is said of a model before it is loaded: what it is, what it needs, and whether this device can hold it. Pure.

import { count } from "./words.js";

/** @import { Device, Facts, Problem } from "./contract.js" */
/** @import { Source } from "./sources.js" */
/** @import { Room } from "./state.js" */

/** The engine's memory has 32-bit addresses; so much of it may hold weights, where the processor draws. */
const MOST_ENGINE_BYTES = 3.5e9;

/** @param {number} bytes */
export function sizeWords(bytes) {
  if (bytes >= 1e9) return `${(bytes / 1e9).toFixed(bytes < 1e10 ? 2 : 1)} GB`;
  return bytes >= 1e6 ? `${(bytes / 1e6).toFixed(bytes < 1e7 ? 1 : 0)} MB` : `${Math.ceil(bytes / 1e3)} kB`;
}

/** @param {number} seconds */
export function durationWords(seconds) {
  if (seconds < 1) return "less than a second";
  if (seconds < 90) return `about ${Math.round(seconds)} s`;
  return seconds < 5400 ? `about ${Math.round(seconds / 60)} min` : `about ${Math.round(seconds / 3600)} h`;
}

/**
 * What is known of a model, a term and its words a row.
 *
 * @param {Facts} facts
 * @param {Device} device
 * @param {Source} source
 * @param {Room | null} room null until the browser has said it
 * @returns {[term: string, words: string][]}
 */
export function factRows(facts, device, source, room) {
  const { grid, image_side_px: side, decoding } = facts;
  /** @type {[string, string][]} */
  const rows = [
    ["Licence", facts.licence || "none is named"],
    ["Made from", madeFrom(facts)],
    ["Pictures", `${side} × ${side} pixels, ${count(grid * grid, "token")}`],
    ["Size", `${sizeWords(facts.bytes)} in ${count(facts.shards.length, "file")}, of which ${sizeWords(facts.bytes_to_draw)} before the first picture`],
    source.kind === "folder" ? ["From disk", "read in pieces where it lies; nothing is downloaded or copied"] : ["Download", downloadWords(facts, room)],
  ];
  if (source.kind !== "folder" && room) rows.push(["Storage", storageWords(facts, room)]);
  rows.push([device.kind === "webgpu" ? "Graphics memory" : "Memory", memoryWords(facts, device)]);
  if (facts.largest_given !== null) {
    rows.push(["Largest buffer", `${sizeWords(facts.largest_needed)} needed; this device gives up to ${sizeWords(facts.largest_given)}`]);
  }
  if (facts.seconds_a_forward !== null) {
    const seconds = durationWords(facts.seconds_a_forward * decoding.steps);
    rows.push(["Time", `${seconds} for a picture of ${count(decoding.steps, "step")}, estimated from layers measured on this device`]);
  }
  return rows;
}

/** @param {Facts} facts */
function madeFrom({ models }) {
  // Several networks may come of one checkpoint.
  const names = new Map();
  for (const { kind, checkpoint } of models) names.set(checkpoint, [...(names.get(checkpoint) ?? []), kind]);
  return [...names].map(([checkpoint, kinds]) => (kinds.length === 1 && kinds[0] === checkpoint ? checkpoint : `${checkpoint} (${kinds.join(", ")})`)).join("; ");
}

/** @param {Facts} facts @param {Room | null} room */
function downloadWords({ bytes }, room) {
  if (!room?.kept) return sizeWords(bytes);
  if (room.kept >= bytes) return "none: all of it is kept in this browser";
  return `${sizeWords(bytes - room.kept)}; ${sizeWords(room.kept)} of it are here already`;
}

/** @param {Facts} facts @param {Room} room */
function storageWords(facts, room) {
  if (room.kept >= facts.bytes) return `it takes ${sizeWords(facts.bytes)}`;
  if (room.free === null) return "this browser does not say how much is left";
  const left = `${sizeWords(room.free)} left`;
  return fits(facts, room) ? `${left}: the model is kept for the next visit` : `${left}, too little to keep it: it draws all the same, and is fetched again at every visit`;
}

/** Whether all of a model can be kept; where the browser does not say, it is tried. @param {Facts} facts @param {Room | null} room */
export function fits(facts, room) {
  return room?.free === null || room?.free === undefined || facts.bytes - room.kept <= room.free;
}

/** @param {Facts} facts @param {Device} device */
function memoryWords({ device_bytes }, device) {
  const needed = `about ${sizeWords(device_bytes)} for the weights`;
  return device.kind === "webgpu" ? `${needed}; browsers do not say how much there is` : `${needed}, of ${sizeWords(MOST_ENGINE_BYTES)} that a page can hold for the processor`;
}

/** Why this device cannot hold a model, where that is certain. @param {Facts} facts @param {Device} device @returns {Problem | null} */
export function tooLarge(facts, device) {
  if (facts.largest_given !== null && facts.largest_needed > facts.largest_given) {
    return {
      code: "too_large", message: `${facts.name} needs a buffer of ${sizeWords(facts.largest_needed)}, and this graphics device gives at most ${sizeWords(facts.largest_given)}`,
      remedy: "Draw on the CPU instead, or on another machine.",
    };
  }
  if (device.kind === "cpu" && facts.device_bytes > MOST_ENGINE_BYTES) {
    return {
      code: "too_large", message: `${facts.name} takes ${sizeWords(facts.device_bytes)} of memory, and a page can hold ${sizeWords(MOST_ENGINE_BYTES)} for the processor`,
      remedy: "Draw on a graphics device, or with the showo command.",
    };
  }
  return null;
}
