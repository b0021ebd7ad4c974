// The settings as typed, checked, and as a link.
//
// Typed text is never corrected: a value out of range stays where it is and is named. The engine checks again.

import { NUMBER_FIELDS } from "./fields.js";
import { GENERATORS, VERIFIERS } from "./words.js";

/** @import { Decoding, Settings, Problem, Tuning, VerifierMode } from "./contract.js" */
/** @import { NumberField } from "./fields.js" */

/** The form's text, by id; check boxes are "1" or "". @typedef {Record<string, string>} Typed */

/** What the form says where neither link nor model says otherwise: what www/models/scenes recommends. @type {Typed} */
export const DEFAULTS = Object.freeze({
  prompt: "a star and a moon",
  generator: "base",
  seed: "7",
  steps: "14",
  guidance: "2",
  temperature: "8",
  candidates: "4",
  verifier: "parm",
  reflection: "",
  tau: "1.1",
  epsilon: "0.01",
  rounds: "3",
  "patch-grid": "4",
  accept: "if-not-worse",
  previews: "1",
});

/**
 * What the form says, as the engine takes it, or the first thing that is wrong with it.
 *
 * @param {Typed} typed
 * @param {number | null} grid the token grid's side, once the model is known
 * @returns {{ settings: Settings } | { problem: Problem }}
 */
export function checked(typed, grid) {
  const prompt = typed.prompt.trim();
  if (!prompt) {
    return { problem: { code: "empty_prompt", field: "prompt", message: "The prompt is empty.", remedy: "Say what to draw, or take an example." } };
  }
  const withReflection = typed.reflection === "1";
  for (const { id, name, known, ofReflection } of CHOICES) {
    if (!(ofReflection && !withReflection) && !Object.hasOwn(known, typed[id])) return { problem: unknownChoice(id, name, typed[id], Object.keys(known)) };
  }
  /** @type {Record<string, number>} */
  const numbers = {};
  for (const field of NUMBER_FIELDS) {
    if (field.ofReflection && !withReflection) continue;
    const highest = field.id === "patch-grid" && grid ? grid : field.highest;
    const text = typed[field.id].trim();
    const value = text === "" ? NaN : Number(text);
    // Written so that NaN fails too.
    if (!(value >= field.lowest && value <= highest) || (field.whole && !Number.isInteger(value))) {
      return { problem: outOfRange(field, text, highest) };
    }
    numbers[field.id] = value;
  }
  return {
    settings: {
      prompt,
      generator: /** @type {Tuning} */ (typed.generator),
      seed: numbers.seed,
      steps: numbers.steps,
      guidance_scale: numbers.guidance,
      temperature: numbers.temperature,
      candidates: numbers.candidates,
      verifier: /** @type {VerifierMode} */ (typed.verifier),
      reflection: withReflection
        ? {
            threshold: numbers.tau,
            epsilon: numbers.epsilon,
            rounds: numbers.rounds,
            patch_grid: numbers["patch-grid"],
            accept: /** @type {keyof typeof ACCEPTED} */ (typed.accept),
          }
        : null,
      previews: typed.previews === "1",
    },
  };
}

/**
 * The form that would give these settings: for an opened trace.
 *
 * @param {Settings} settings
 * @returns {Typed}
 */
export function typedFrom(settings) {
  const reflection = settings.reflection;
  return {
    prompt: settings.prompt,
    generator: settings.generator ?? DEFAULTS.generator,
    seed: String(settings.seed),
    steps: String(settings.steps),
    guidance: short(settings.guidance_scale),
    temperature: short(settings.temperature),
    candidates: String(settings.candidates),
    verifier: settings.verifier,
    reflection: reflection ? "1" : "",
    tau: reflection ? short(reflection.threshold) : DEFAULTS.tau,
    epsilon: reflection ? short(reflection.epsilon) : DEFAULTS.epsilon,
    rounds: reflection ? String(reflection.rounds) : DEFAULTS.rounds,
    "patch-grid": reflection ? String(reflection.patch_grid) : DEFAULTS["patch-grid"],
    accept: reflection?.accept ?? DEFAULTS.accept,
    previews: settings.previews ? "1" : "",
  };
}

/**
 * What a bundle recommends, as the form has it.
 *
 * @param {Decoding} decoding
 * @returns {Typed}
 */
export function typedBy({ steps, guidance_scale, temperature, candidates, verifier }) {
  return { steps: String(steps), guidance: short(guidance_scale), temperature: short(temperature), candidates: String(candidates), verifier };
}

/** The settings that a link names. @param {string} hash */
export function namedIn(hash) {
  return new Set([...new URLSearchParams(hash.replace(/^#/, "")).keys()].filter((id) => Object.hasOwn(DEFAULTS, id)));
}

/**
 * What is typed, drawn as other settings draw: the prompt, the seed and what there is to see stay.
 *
 * @param {Settings} way
 * @param {Typed} typed
 * @returns {Typed}
 */
export function asDrawnBy(way, { prompt, seed, previews }) {
  return { ...typedFrom(way), prompt, seed, previews };
}

/** The link's part after `#`: every setting, so that it still means the same when a default changes. @param {Typed} typed */
export function toHash(typed) {
  const parameters = new URLSearchParams();
  for (const id of Object.keys(DEFAULTS)) parameters.set(id, typed[id] || (Object.hasOwn(SWITCHES, id) ? "0" : ""));
  return `#${parameters}`;
}

/**
 * What a link says over the defaults, those of a model first; unknown names are ignored.
 *
 * @param {string} hash
 * @param {Partial<Typed>} [ofModel]
 * @returns {Typed}
 */
export function fromHash(hash, ofModel = {}) {
  const typed = /** @type {Typed} */ ({ ...DEFAULTS, ...ofModel });
  for (const [id, value] of new URLSearchParams(hash.replace(/^#/, ""))) {
    if (Object.hasOwn(DEFAULTS, id)) typed[id] = Object.hasOwn(SWITCHES, id) && value !== "1" ? "" : value;
  }
  return typed;
}

/** The settings that are on or off. */
const SWITCHES = { reflection: true, previews: true };

/** When reflection keeps a round. */
const ACCEPTED = { "if-not-worse": true, "if-doubted": true, every: true };

/** The settings of which there are only so many; a link may name others. */
const CHOICES = [
  { id: "generator", name: "generator", known: GENERATORS, ofReflection: false },
  { id: "verifier", name: "verifier", known: VERIFIERS, ofReflection: false },
  { id: "accept", name: "way to keep a round", known: ACCEPTED, ofReflection: true },
];

/**
 * The first thing that keeps settings from being this page's: for traces and tables, which come from anywhere.
 *
 * @param {any} settings
 * @returns {string | null} what is wrong, in words
 */
export function settingsFault(settings) {
  if (typeof settings?.prompt !== "string" || settings.prompt.length > 4000) return "settings.prompt";
  for (const name of ["seed", "steps", "guidance_scale", "temperature", "candidates"]) if (!Number.isFinite(settings[name])) return `settings.${name}`;
  if (!Object.hasOwn(VERIFIERS, settings.verifier)) return `there is no verifier ${quoted(settings.verifier)}`;
  if (!Object.hasOwn(GENERATORS, settings.generator ?? DEFAULTS.generator)) return `there is no generator ${quoted(settings.generator)}`;
  const { reflection } = settings;
  if (reflection === null || reflection === undefined) return null;
  for (const name of ["threshold", "epsilon", "rounds", "patch_grid"]) if (!Number.isFinite(reflection[name])) return `settings.reflection.${name}`;
  return Object.hasOwn(ACCEPTED, reflection.accept ?? DEFAULTS.accept) ? null : `there is no way to keep a round ${quoted(reflection.accept)}`;
}

/** @param {unknown} value */
function quoted(value) {
  const text = typeof value === "string" ? value : (JSON.stringify(value) ?? "that is nothing");
  return `“${text.length > 80 ? `${text.slice(0, 80)}…` : text}”`;
}

/**
 * @param {string} id
 * @param {string} name
 * @param {string} value
 * @param {string[]} known
 * @returns {Problem}
 */
function unknownChoice(id, name, value, known) {
  return { code: "unknown_choice", field: id, message: `There is no ${name} ${quoted(value)}.`, remedy: `Choose another; this page knows ${known.join(", ")}.` };
}

/**
 * @param {NumberField} field
 * @param {string} text
 * @param {number} highest
 * @returns {Problem}
 */
function outOfRange(field, text, highest) {
  const range = highest === Number.MAX_SAFE_INTEGER ? "from 0 to 2⁵³ − 1" : `from ${field.lowest} to ${highest}`;
  return {
    code: "out_of_range",
    field: field.id,
    message: text === "" ? `${field.name} is empty.` : `${field.name} is ${text}.`,
    remedy: `It must be a ${field.whole ? "whole number" : "number"} ${range}.`,
  };
}

/** The engine holds 32-bit floats: 0.2 comes back as 0.20000000298…. @param {number} value */
function short(value) {
  return String(Number(value.toPrecision(6)));
}
