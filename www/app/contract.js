// What the page and the worker say to each other, and what a trace holds.
//
// `Settings` and `Event` mirror src/settings.rs and src/trace.rs; those files decide.

/** The token written for a position that is still masked. */
export const MASK = -1;

/** The latest version of the trace’s form; an older one is read, too. */
export const TRACE_VERSION = 2;

/**
 * @typedef {"none" | "best-of-k" | "orm" | "prm" | "parm" | "parm-paths" | "self-orm" | "self"} VerifierMode
 * @typedef {"base" | "dpo" | "dpo-free" | "dpo-iterated" | "dpo-parm"} Tuning which weights of the generator draw
 *
 * @typedef {object} ReflectionSettings
 * @property {number} threshold τ
 * @property {number} epsilon ε
 * @property {number} rounds R
 * @property {number} patch_grid M
 * @property {"every" | "if-not-worse" | "if-doubted"} accept
 *
 * @typedef {object} Settings
 * @property {string} prompt
 * @property {boolean} [control_tokens] absent: what looks like one of the model's own tokens is text
 * @property {Tuning} [generator] absent in older traces: base
 * @property {number} seed
 * @property {number} steps
 * @property {number} guidance_scale
 * @property {number} temperature
 * @property {number} candidates
 * @property {VerifierMode} verifier
 * @property {ReflectionSettings | null} reflection
 * @property {boolean} previews
 *
 * @typedef {{ width_px: number, height_px: number, png_base64: string }} Picture
 * @typedef {{ tokens: number[], sampled: number[], score: number | null, preview: Picture | null }} Candidate
 * @typedef {{ accepted: boolean, exact?: boolean | null, sentence: string }} CheckerVerdict `exact` in worlds that have both verdicts
 * @typedef {"nothing_weak" | "satisfied" | "converged" | "rounds_spent"} ReflectionStop
 * @typedef {{ generator_forwards: number, reward_forwards: number, decoded_pictures: number, seconds: number }} Totals
 *
 * @typedef {{ type: "started", version: number, settings: Settings, notes?: string[], prompt_ids: number[], begin?: number[], grid: number, image_side_px: number, device: string, bundle: string }} StartedEvent
 * @typedef {{ type: "step", path: number, step: number, steps: number, known_before: boolean[], candidates: Candidate[], chosen: number, masked_after: number, milliseconds: number }} StepEvent
 * @typedef {{ type: "image", path: number, tokens: number[], picture: Picture, score: number | null }} ImageEvent
 * @typedef {{ type: "path_chosen", path: number }} PathChosenEvent
 * @typedef {{ type: "reflection", round: number, patch_grid: number, patch_scores: number[], weak: boolean[], before: Picture, after: Picture, tokens_after: number[], score_before: number | null, score_after: number | null, kept: boolean, distance: number }} ReflectionEvent
 * @typedef {{ type: "reflection_ended", reason: ReflectionStop, patch_scores: number[], rounds: number }} ReflectionEndedEvent
 * @typedef {{ type: "finished", tokens: number[], picture: Picture, verdict: CheckerVerdict | null, unchecked?: string | null, totals: Totals }} FinishedEvent
 * @typedef {{ type: "cancelled", next_step: number }} CancelledEvent
 * @typedef {StartedEvent | StepEvent | ImageEvent | PathChosenEvent | ReflectionEvent | ReflectionEndedEvent | FinishedEvent | CancelledEvent} Event
 */

/**
 * One sentence for the page. `field` is the id of the setting at fault; `word` the one the model does not know, `place`
 * the characters of the prompt that it is (from, to), and `near` what it does know instead. One `ofLoading` is over once the model is here; one `ofPaint` is said beside the brush.
 *
 * @typedef {{ code: string, message: string, remedy?: string, near?: string[], field?: string, word?: string, place?: [number, number], ofLoading?: boolean, ofPaint?: boolean }} Problem
 */

/**
 * Both devices on the same moment's work, in seconds; `adapter` is what the browser calls the graphics device.
 *
 * @typedef {{ adapter: string, webgpu_seconds: number, cpu_seconds: number }} Measured
 *
 * Which device is to draw: `auto` is the faster one, `webgpu` the graphics device where it works. `why` is for `cpu`, where it was
 * not the visitor who asked for it; `remembered` is what was measured on an earlier visit.
 *
 * @typedef {{ device: "auto" | "cpu" | "webgpu", why?: string | null, remembered?: Measured | null }} Wish
 */

/**
 * What is known of a bundle before anything large of it is fetched (src/web/facts.rs).
 *
 * `bytes_to_draw` are there before the first picture, `device_bytes` what all weights take on the device; `largest_needed` and `largest_given`
 * are single buffers, the latter null for the processor. `seconds_a_forward` is an estimate, null where nothing was measured.
 *
 * @typedef {{ name: string, created: string, licence: string, attribution: string[], world: string | null, models: { kind: string, checkpoint: string, bytes: number }[], shards: { file: string, bytes: number }[], bytes: number, bytes_to_draw: number, device_bytes: number, largest_needed: number, largest_given: number | null, grid: number, image_side_px: number, decoding: Decoding, seconds_a_forward: number | null }} Facts
 *
 * How a bundle recommends to draw.
 *
 * @typedef {{ steps: number, guidance_scale: number, temperature: number, candidates: number, verifier: VerifierMode }} Decoding
 */

/**
 * From the page to the worker.
 *
 * `load` loads nothing of a bundle of more than `most_bytes`; `keep` says whether what is fetched is kept, `files` are a folder's. `load` and
 * `load_verifiers` go on where they failed before; `resume` brings the recording to go on with, as JSON, where the worker does
 * not know the drawing. `paint` draws those of a picture's `codes` again that are in the hole.
 *
 * @typedef {{ type: "load", bundle: string, wish: Wish, files?: import("../folder_files.js").FolderFiles, most_bytes: number, keep: boolean }
 *   | { type: "pause" }
 *   | { type: "go_on" }
 *   | { type: "load_verifiers" }
 *   | { type: "draw", settings: Settings }
 *   | { type: "paint", settings: Settings, codes: number[], hole: boolean[] }
 *   | { type: "stop" }
 *   | { type: "resume", recording?: string }
 *   | { type: "self_test" }
 *   | { type: "picture", id: number, codes: number[] }
 *   | { type: "probe", prompt: string }
 *   | { type: "round", prompt: string }} Request
 */

/**
 * From the worker to the page. After a `fault` the worker is good for nothing any more. `probe` and `round` are for
 * measurements: the logits of one forward, a whole step with its judges, and what the engine then holds. `opened` tells of a bundle before it is
 * loaded, `asks` that it is not loaded until somebody says so. `verifiers` are the modes that can be used now: `ready` may list only `none`, and
 * `verifier_ready` is the last word, with the `problem` that kept the others away; `offered` are those that the bundle has at all. `device` comes whenever it may be another one. `done` follows every draw and resume, after an error or a lost device too. `picture` is a draw as
 * the tokenizer shows it, of which the trace has a small preview; its `id` is the request's.
 *
 * @typedef {"engine" | "manifest" | "generator" | "tokenizer" | "verifier" | "compile" | "ready"} Phase
 * @typedef {{ type: "progress", phase: Phase, kind?: string, file?: string, bytes_done: number, bytes_total: number, source: "network" | "cache" | "disk" }} Progress
 * @typedef {{ kind: "webgpu" | "cpu", words: string, why: string | null, patience_seconds: number | null, measured: Measured | null }} Device
 * @typedef {{ grid: number, image_side_px: number, verifiers: VerifierMode[], offered: VerifierMode[], generators: Tuning[], words: string[], examples: { kind: string, prompt: string }[], max_text_len: number, world: string | null, decoding: Decoding, fields: object[], bundle: string, shards_bytes: number, licence: string, attribution: string[] }} Model
 *
 * @typedef {Progress
 *   | { type: "ready", device: Device, model: Model }
 *   | { type: "device", device: Device }
 *   | { type: "opened", device: Device, facts: Facts }
 *   | { type: "asks" }
 *   | { type: "verifier_ready", verifiers: VerifierMode[], problem: Problem | null }
 *   | { type: "event", event: Event }
 *   | { type: "done" }
 *   | { type: "error", error: Problem }
 *   | { type: "fault", message: string }
 *   | { type: "picture", id: number, picture: Picture }
 *   | { type: "probe", logits: Float32Array, memory: { heap_bytes: number, device_bytes: number } }
 *   | { type: "round", round: { drawn: number[][], step_seconds: number, previews_seconds: number, picture_seconds: number, judges: { verifier: string, score: number, seconds: number }[] }, memory: { heap_bytes: number, device_bytes: number } }
 *   | { type: "device_lost", next_step: number, message?: string }
 *   | { type: "self_test", rows: Record<string, unknown>[] }} Reply
 */
