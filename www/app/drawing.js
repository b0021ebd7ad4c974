// Folds a trace's events into what the page shows: a row of moments that the time axis can go back to.
//
// Pure: the same function serves a live drawing and an opened trace.

import { MASK } from "./contract.js";

/** @import { Event, Picture, ReflectionEvent, ReflectionEndedEvent, FinishedEvent, StartedEvent } from "./contract.js" */

/**
 * One draw that could have been kept: a candidate of a step, or a whole picture of a path.
 *
 * @typedef {object} Try
 * @property {number} path
 * @property {Picture | null} picture
 * @property {number | null} score
 * @property {boolean} chosen
 * @property {TokenState[]} states what happened at each position
 * @property {number[]} tokens
 * @property {number[]} sampled the whole draw, which the picture shows
 *
 * @typedef {"fixed" | "new" | "masked"} TokenState
 *
 * @typedef {{ kind: "step", step: number, steps: number, tries: Try[], milliseconds: number }} StepMoment
 * @typedef {{ kind: "image", tries: Try[] }} ImageMoment
 * @typedef {{ kind: "round", event: ReflectionEvent }} RoundMoment
 * @typedef {StepMoment | ImageMoment | RoundMoment} Moment
 *
 * @typedef {object} Drawing
 * @property {Event[]} events exactly as they came, for the trace file
 * @property {StartedEvent | null} started
 * @property {Moment[]} moments
 * @property {number} latest index of the moment that changed last, −1 before the first
 * @property {ReflectionEndedEvent | null} reflectionEnded
 * @property {FinishedEvent | null} finished
 * @property {number | null} nextStep where a stopped drawing would go on
 */

/** @type {Drawing} */
export const EMPTY_DRAWING = Object.freeze({
  events: [], started: null, moments: [], latest: -1, reflectionEnded: null, finished: null, nextStep: null,
});

/**
 * The drawing after one more event. Moments that did not change keep their identity, so that views can keep theirs.
 *
 * @param {Drawing} drawing
 * @param {Event} event
 * @returns {Drawing}
 */
export function withEvent(drawing, event) {
  const next = { ...drawing, events: [...drawing.events, event] };
  switch (event.type) {
    case "started":
      return { ...EMPTY_DRAWING, events: [event], started: event };
    case "step": {
      const before = drawing.moments.find((moment) => moment.kind === "step" && moment.step === event.step);
      // Whole-picture modes visit a step once for every path; their draws stand side by side like candidates.
      const earlier = before?.kind === "step" ? before.tries.filter((attempt) => attempt.path !== event.path) : [];
      const tries = event.candidates.map((candidate, index) => ({
        path: event.path,
        picture: candidate.preview,
        score: candidate.score,
        chosen: !drawsPaths(drawing) && index === event.chosen,
        states: statesOf(event.known_before, candidate.tokens),
        tokens: candidate.tokens,
        sampled: candidate.sampled,
      }));
      return placed(next, {
        kind: "step", step: event.step, steps: event.steps, tries: [...earlier, ...tries], milliseconds: event.milliseconds,
      });
    }
    case "image": {
      const before = drawing.moments.find((moment) => moment.kind === "image");
      const attempt = {
        path: event.path,
        picture: event.picture,
        score: event.score,
        chosen: !drawsPaths(drawing),
        states: event.tokens.map(() => /** @type {TokenState} */ ("fixed")),
        tokens: event.tokens,
        sampled: event.tokens,
      };
      return placed(next, { kind: "image", tries: before?.kind === "image" ? [...before.tries, attempt] : [attempt] });
    }
    case "path_chosen":
      return { ...next, moments: drawing.moments.map((moment) => withPathChosen(moment, event.path)) };
    case "reflection":
      return placed(next, { kind: "round", event });
    case "reflection_ended":
      return { ...next, reflectionEnded: event };
    case "finished":
      return { ...next, finished: event };
    case "cancelled":
      return { ...next, nextStep: event.next_step };
    default:
      return next;
  }
}

/**
 * The drawing as it was before it stopped: going on adds to it, and the trace reads as if it had never paused.
 *
 * @param {Drawing} drawing
 * @returns {Drawing}
 */
export function withoutCancellation(drawing) {
  return { ...drawing, events: drawing.events.filter((event) => event.type !== "cancelled"), nextStep: null };
}

/** Whether whole pictures are drawn and one of them picked at the end. @param {Drawing} drawing */
export function drawsPaths(drawing) {
  const mode = drawing.started?.settings.verifier;
  return mode === "best-of-k" || mode === "orm" || mode === "self-orm" || mode === "parm-paths";
}

/** Whether the draws at this moment were compared by a verifier. @param {Moment} moment */
export function isJudged(moment) {
  return moment.kind !== "round" && moment.tries.some((attempt) => attempt.score !== null);
}

/**
 * The index of the draw to look at: the one asked for, or else the chosen one, or else the newest.
 *
 * @param {StepMoment | ImageMoment} moment
 * @param {number | null} wanted
 */
export function focusOf(moment, wanted) {
  if (wanted !== null && wanted < moment.tries.length) return wanted;
  const chosen = moment.tries.findIndex((attempt) => attempt.chosen);
  return chosen >= 0 ? chosen : moment.tries.length - 1;
}

/**
 * The picture at a moment; for a round of reflection, the one that the drawing went on with.
 *
 * @param {Moment} moment
 * @param {number | null} wanted
 * @returns {Picture | null}
 */
export function pictureAt(moment, wanted) {
  if (moment.kind === "round") return moment.event.kept ? moment.event.after : moment.event.before;
  return moment.tries[focusOf(moment, wanted)]?.picture ?? null;
}

/**
 * What happened at each token position at a moment.
 *
 * @param {Moment} moment
 * @param {number | null} wanted
 * @param {number} grid
 * @returns {TokenState[]}
 */
export function statesAt(moment, wanted, grid) {
  if (moment.kind !== "round") return moment.tries[focusOf(moment, wanted)]?.states ?? [];
  const { patch_grid, weak } = moment.event;
  const patch = (/** @type {number} */ cell) => Math.floor(((cell + 0.5) * patch_grid) / grid);
  return Array.from({ length: grid * grid }, (_, position) =>
    weak[patch(Math.floor(position / grid)) * patch_grid + patch(position % grid)] ? "new" : "fixed",
  );
}

/**
 * @param {boolean[]} knownBefore
 * @param {number[]} tokens
 * @returns {TokenState[]}
 */
function statesOf(knownBefore, tokens) {
  return tokens.map((token, position) => (knownBefore[position] ? "fixed" : token === MASK ? "masked" : "new"));
}

/**
 * @param {Drawing} drawing
 * @param {Moment} moment
 * @returns {Drawing}
 */
function placed(drawing, moment) {
  const at = drawing.moments.findIndex((other) => sameTime(other, moment));
  const moments = at < 0 ? [...drawing.moments, moment] : drawing.moments.with(at, moment);
  // Paths can be drawn one after another: steps still come before the pictures, pictures before reflection.
  moments.sort((left, right) => orderOf(left) - orderOf(right));
  return { ...drawing, moments, latest: moments.indexOf(moment) };
}

/**
 * @param {Moment} left
 * @param {Moment} right
 */
function sameTime(left, right) {
  return left.kind === right.kind && orderOf(left) === orderOf(right);
}

/** @param {Moment} moment */
function orderOf(moment) {
  switch (moment.kind) {
    case "step": return moment.step;
    case "image": return 1e6;
    case "round": return 1e6 + moment.event.round;
  }
}

/**
 * @template {Moment} M
 * @param {M} moment
 * @param {number} path
 * @returns {M}
 */
function withPathChosen(moment, path) {
  if (moment.kind === "round") return moment;
  return { ...moment, tries: moment.tries.map((attempt) => ({ ...attempt, chosen: attempt.path === path })) };
}
