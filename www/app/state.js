// Everything the page knows, and how a message from the worker changes it. Pure: main.js and engine_client.js act on the result.

import { EMPTY_DRAWING, focusOf, withEvent, withoutCancellation } from "./drawing.js";
import { isAsked, remembered, restored, saidOfPaint, UNPAINTED } from "./paint.js";

/** @import { Device, Facts, Model, Picture, Problem, Progress, Reply, Settings, VerifierMode } from "./contract.js" */
/** @import { Drawing } from "./drawing.js" */
/** @import { Before, Beginning } from "./paint.js" */
/** @import { Source } from "./sources.js" */

/**
 * @typedef {object} State
 * @property {Source | null} source where the model comes from
 * @property {"idle" | "loading" | "asking" | "ready" | "failed"} engine `asking` waits for somebody to say that the model is to be loaded
 * @property {Facts | null} facts what is known of the model before it is loaded
 * @property {Room | null} room what of it this browser has kept, and what room there is
 * @property {Offered[]} offered what the menu offers
 * @property {boolean} asked whether this model was not loaded before somebody said so
 * @property {boolean} paused whether its download rests
 * @property {Progress | null} progress what is being loaded now
 * @property {Device | null} device
 * @property {Model | null} model
 * @property {VerifierMode[]} verifiers usable now
 * @property {boolean} verifiersSettled whether more may still arrive by themselves
 * @property {Problem | null} missing what kept a verifier away; it may be asked for again
 * @property {Settings | null} waiting asked for, and drawn as soon as the engine can
 * @property {Beginning | null} from what that begins from, where some of it is there already
 * @property {"idle" | "drawing" | "stopping"} run
 * @property {number | null} resumable the step from which an interrupted drawing can go on
 * @property {boolean} resumed whether the running drawing continues an earlier one
 * @property {boolean} opened whether the drawing came from a file
 * @property {Drawing} drawing
 * @property {number | null} selected a moment on the time axis; null follows the newest
 * @property {number | null} focused a candidate to look at; null takes the chosen one
 * @property {{ of: Picture, picture: Picture } | null} large a preview that is looked at, as the tokenizer shows it
 * @property {boolean[] | null} hole the tokens of the finished picture that are painted; null where none was
 * @property {Before[]} before the pictures that were painted on, to go back to
 * @property {number} redraws how often a picture was drawn from a painted one since it was drawn from nothing
 * @property {Problem | null} problem
 * @property {Record<string, unknown>[] | null} selfTest
 */

/** @typedef {{ kind: Source["kind"], id: string, name: string, bytes: number | null, kept: boolean }} Offered a model that can be chosen; `kept` says whether there is something to forget */

/** @typedef {{ kept: number, free: number | null }} Room bytes of the model that are kept, and that could be besides; null where the browser does not say */

/** @type {State} */
export const INITIAL_STATE = Object.freeze({
  source: null, facts: null, room: null, offered: [], asked: false, paused: false,
  engine: "idle", progress: null, device: null, model: null, verifiers: [], verifiersSettled: false, missing: null, waiting: null,
  run: "idle", resumable: null, resumed: false, opened: false, drawing: EMPTY_DRAWING, selected: null, focused: null,
  large: null, ...UNPAINTED, problem: null, selfTest: null,
});

/**
 * @param {State} state
 * @param {Reply} reply
 * @returns {State}
 */
export function received(state, reply) {
  switch (reply.type) {
    case "progress":
      return { ...state, progress: reply.phase === "ready" ? null : reply };
    case "ready":
      return {
        ...state, engine: "ready", progress: null, device: reply.device, model: reply.model, verifiers: reply.model.verifiers,
        problem: state.problem?.ofLoading ? null : state.problem,
      };
    case "device":
      return { ...state, device: reply.device };
    case "opened":
      return { ...state, device: reply.device, facts: reply.facts };
    case "asks":
      return { ...state, engine: "asking", asked: true, progress: null };
    case "verifier_ready":
      return { ...state, progress: null, verifiers: reply.verifiers, verifiersSettled: true, missing: reply.problem };
    case "event":
      // Going on repeats no beginning: the steps that were drawn before stay.
      if (reply.event.type === "started" && state.resumed) return state;
      return {
        ...state,
        drawing: withEvent(state.drawing, reply.event),
        resumable: reply.event.type === "cancelled" ? reply.event.next_step : state.resumable,
      };
    case "done":
      return { ...restored(state), run: "idle" };
    case "error":
      return {
        ...state,
        paused: false,
        problem: state.engine === "loading" ? { ...reply.error, ofLoading: true } : isAsked(state) ? saidOfPaint(reply.error) : reply.error,
        engine: state.engine === "loading" ? "failed" : state.engine,
        progress: null,
        waiting: null,
      };
    case "device_lost":
      return {
        ...state,
        resumable: reply.next_step,
        problem: {
          code: "device_lost",
          message: lossWords(reply.next_step, reply.message),
          remedy: "Nothing drawn is lost: go on from there.",
        },
      };
    case "self_test":
      return { ...state, selfTest: reply.rows };
    default:
      return state;
  }
}

/** @param {number} step @param {string | undefined} message the engine's own words @returns {string} */
function lossWords(step, message) {
  const why = /failed before step \d+: (.*?); what was drawn/s.exec(message ?? "")?.[1];
  return `The graphics device was lost before step ${step + 1}${why ? ` (${why})` : ""}.`;
}

/**
 * The engine stopped by a fault of its own, or does not answer. What is on the page stays, and can be gone on with. An engine that had
 * been ready is loading anew, and so is one that goes on on another device; what would fail again is not tried without being asked.
 *
 * @param {State} before
 * @param {string} why
 * @param {boolean} onProcessor whether the processor takes over from a graphics device
 * @returns {State}
 */
export function stopped(before, why, onProcessor) {
  const state = restored(before);
  const restarts = state.engine === "ready" || onProcessor;
  const message = onProcessor ? `The graphics device failed (${why}), and the processor takes over` : `The drawing engine stopped by a fault of its own (${why})`;
  return {
    ...state,
    engine: restarts ? "loading" : "failed",
    device: null,
    run: "idle",
    progress: null,
    paused: false,
    waiting: onProcessor && state.engine !== "ready" ? state.waiting : null,
    resumable: stepToGoOnFrom(state),
    verifiers: [],
    verifiersSettled: false,
    missing: null,
    problem: restarts
      ? { code: "engine_restarted", message: onProcessor ? message : `${message} and is starting again`, remedy: "What was drawn is still here; go on or draw again when it is ready, or reload the page." }
      : { code: "engine_fault", message, remedy: "Try again; if it stays, reload the page or use another browser." },
  };
}

/** The step after the last one of a drawing that was cut off, from 0. @param {State} state */
function stepToGoOnFrom({ drawing, opened }) {
  if (!drawing.started || drawing.finished || opened) return null;
  const last = drawing.events.findLast((event) => event.type === "step");
  return last ? last.step + 1 : null;
}

/**
 * The browser does not let the page have its worker.
 *
 * @param {State} state
 * @param {string} why
 * @returns {State}
 */
export function notStarted(state, why) {
  return {
    ...stopped(state, why, false),
    engine: "failed",
    problem: {
      code: "not_started",
      message: `This browser does not let the page start what draws (${why.replace(/\.$/, "")})`,
      remedy: "In a frame, its sandbox has to be “allow-scripts allow-same-origin”; elsewhere, reload the page or use another browser.",
    },
  };
}

/** A new drawing begins. @param {State} state @returns {State} */
export function drawingBegun(state) {
  return {
    ...state, run: "drawing", waiting: null, resumable: null, resumed: false, opened: false,
    ...remembered(state), drawing: EMPTY_DRAWING, selected: null, focused: null, problem: null,
  };
}

/** An interrupted drawing goes on. @param {State} state @returns {State} */
export function drawingResumed(state) {
  return {
    ...state, run: "drawing", resumable: null, resumed: true, selected: null, focused: null, problem: null,
    drawing: withoutCancellation(state.drawing),
  };
}

/**
 * Whether these settings can be drawn now, later, or not with this bundle.
 *
 * @param {State} state
 * @param {Settings} settings
 * @returns {"now" | "later" | "never"}
 */
export function readiness(state, settings) {
  if (state.engine !== "ready" || !state.model) return "later";
  if (lacking(state.model, settings)) return "never";
  return needed(settings).every((mode) => state.verifiers.includes(mode)) ? "now" : "later";
}

/** What these settings ask for and a bundle does not have at all. @param {Model} model @param {Settings} settings */
export function lacking(model, settings) {
  const { generator, verifier } = settings;
  if (generator && !model.generators.includes(generator)) return { field: "generator", word: generator };
  if (!model.offered.includes(verifier)) return { field: "verifier", word: verifier };
  return needed(settings).every((mode) => model.offered.includes(mode)) ? null : { field: "reflection", word: "clip" };
}

/** The modes whose networks these settings draw with: reflection scores patches with CLIP's. @param {Settings} settings @returns {VerifierMode[]} */
function needed({ verifier, reflection }) {
  return reflection ? [verifier, "best-of-k"] : [verifier];
}

/**
 * The draw that somebody looks at, where the page has only a small preview of it.
 *
 * @param {State} state
 * @returns {{ of: Picture, codes: number[] } | null}
 */
export function toEnlarge(state) {
  const { engine, model, drawing, selected, focused } = state;
  if (engine !== "ready" || !model || drawing.started?.bundle !== model.bundle) return null;
  // While a drawing is followed, its previews pass too quickly for more.
  if (selected === null && focused === null) return null;
  const moment = drawing.moments[momentIndex(state)];
  if (!moment || moment.kind === "round") return null;
  const attempt = moment.tries[focusOf(moment, focused)];
  if (!attempt?.picture || attempt.picture.width_px >= model.image_side_px) return null;
  return { of: attempt.picture, codes: attempt.sampled };
}

/** The index of the moment on show, −1 before the first. @param {State} state */
export function momentIndex(state) {
  const last = state.drawing.moments.length - 1;
  if (state.selected !== null) return Math.min(state.selected, last);
  // Paths may be drawn one after another: what is newest is not always what stands last, until all is done.
  return state.drawing.finished ? last : state.drawing.latest;
}
