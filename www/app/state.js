// Everything the page knows, and how a message from the worker changes it. Pure: main.js and engine_client.js act on the result.

import { EMPTY_DRAWING, focusOf, withEvent, withoutCancellation } from "./drawing.js";

/** @import { Device, Model, Picture, Problem, Progress, Reply, Settings, VerifierMode } from "./contract.js" */
/** @import { Drawing } from "./drawing.js" */

/**
 * @typedef {object} State
 * @property {"idle" | "loading" | "ready" | "failed"} engine
 * @property {Progress | null} progress what is being loaded now
 * @property {Device | null} device
 * @property {Model | null} model
 * @property {VerifierMode[]} verifiers usable now
 * @property {boolean} verifiersSettled whether more may still arrive
 * @property {Settings | null} waiting asked for, and drawn as soon as the engine can
 * @property {"idle" | "drawing" | "stopping"} run
 * @property {number | null} resumable the step from which an interrupted drawing can go on
 * @property {boolean} resumed whether the running drawing continues an earlier one
 * @property {boolean} opened whether the drawing came from a file
 * @property {Drawing} drawing
 * @property {number | null} selected a moment on the time axis; null follows the newest
 * @property {number | null} focused a candidate to look at; null takes the chosen one
 * @property {{ of: Picture, picture: Picture } | null} large a preview that is looked at, as the tokenizer shows it
 * @property {Problem | null} problem
 * @property {Record<string, unknown>[] | null} selfTest
 */

/** @type {State} */
export const INITIAL_STATE = Object.freeze({
  engine: "idle", progress: null, device: null, model: null, verifiers: [], verifiersSettled: false, waiting: null,
  run: "idle", resumable: null, resumed: false, opened: false, drawing: EMPTY_DRAWING, selected: null, focused: null,
  large: null, problem: null, selfTest: null,
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
      return { ...state, engine: "ready", progress: null, device: reply.device, model: reply.model, verifiers: reply.model.verifiers };
    case "verifier_ready":
      return { ...state, progress: null, verifiers: reply.verifiers, verifiersSettled: true };
    case "event":
      // Going on repeats no beginning: the steps that were drawn before stay.
      if (reply.event.type === "started" && state.resumed) return state;
      return {
        ...state,
        drawing: withEvent(state.drawing, reply.event),
        resumable: reply.event.type === "cancelled" ? reply.event.next_step : state.resumable,
      };
    case "done":
      return { ...state, run: "idle" };
    case "error":
      return {
        ...state,
        problem: reply.error,
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
          message: `The graphics device was lost before step ${reply.next_step + 1}.`,
          remedy: "Nothing drawn is lost: go on from there.",
        },
      };
    case "self_test":
      return { ...state, selfTest: reply.rows };
    default:
      return state;
  }
}

/**
 * The engine stopped by a fault of its own. What is on the page stays; an engine that had been ready is loading anew,
 * one that had not is not tried again without being asked.
 *
 * @param {State} state
 * @param {string} why
 * @returns {State}
 */
export function stopped(state, why) {
  const restarts = state.engine === "ready";
  const message = `The drawing engine stopped by a fault of its own (${why})`;
  return {
    ...state,
    engine: restarts ? "loading" : "failed",
    run: "idle",
    progress: null,
    waiting: null,
    resumable: null,
    verifiers: [],
    verifiersSettled: false,
    problem: restarts
      ? { code: "engine_restarted", message: `${message} and is starting again`, remedy: "What was drawn is still here; draw again when it is ready, or reload the page." }
      : { code: "engine_fault", message, remedy: "Try again; if it stays, reload the page or use another browser." },
  };
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
    ...stopped(state, why),
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
    drawing: EMPTY_DRAWING, selected: null, focused: null, problem: null,
  };
}

/** An interrupted drawing goes on. @param {State} state @returns {State} */
export function drawingResumed(state) {
  return {
    ...state, run: "drawing", resumable: null, resumed: true, selected: null, focused: null, problem: null,
    drawing: withoutCancellation(state.drawing),
  };
}

/** Whether these settings can be drawn now, later, or not with this bundle. @param {State} state @param {Settings} settings */
export function readiness(state, settings) {
  if (state.engine !== "ready") return "later";
  if (settings.generator && !state.model?.generators.includes(settings.generator)) return "never";
  if (state.verifiers.includes(settings.verifier)) return "now";
  return state.verifiersSettled ? "never" : "later";
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
