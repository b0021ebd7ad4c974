// What the page says about itself: the status line, the load bar, the device, and one error at a time.

import { byId, h, setText, whenChanged } from "../dom.js";
import { count, deviceSentence, megabytes, momentWords, progressWords, scoreWords, sentence, verifierName } from "../words.js";
import { drawsPaths } from "../drawing.js";

/** @import { Problem } from "../contract.js" */
/** @import { State } from "../state.js" */

/**
 * @param {{ onNear: (unknown: Problem, near: string) => void, onRetry: () => void }} actions
 */
export function announcementsView({ onNear, onRetry }) {
  const showProblem = whenChanged((/** @type {Problem | null} */ problem, /** @type {boolean} */ canRetry) => {
    if (!problem) return byId("error").replaceChildren();
    byId("error").replaceChildren(
      ...problemParts(problem, onNear),
      ...(canRetry ? [h("button", { type: "button", class: "small", id: "retry", click: onRetry }, "Try again")] : []),
    );
  });

  return (/** @type {State} */ state) => {
    // What kept a verifier away stays said until it is here; whatever else went wrong is said before it.
    // What is said of painting stands beside the brush.
    showProblem(state.problem?.ofPaint ? state.missing : state.problem ?? state.missing, state.engine === "failed" || (!state.problem && state.missing !== null));
    setText(byId("status"), statusWords(state));
    setText(byId("device"), deviceWords(state));

    const bar = /** @type {HTMLProgressElement} */ (byId("load-bar"));
    const progress = state.progress;
    bar.hidden = !progress;
    if (progress?.bytes_total) {
      bar.max = progress.bytes_total;
      bar.value = progress.bytes_done;
      bar.setAttribute("aria-valuetext", progressWords(progress));
    } else if (progress) {
      bar.removeAttribute("value");
    }
  };
}

/** What is wrong, in words, and near words to take instead. @param {Problem} problem @param {(unknown: Problem, near: string) => void} onNear */
export function problemParts(problem, onNear) {
  const near = problem.near ?? [];
  return [
    h("p", {}, [sentence(problem.message), sentence(problem.remedy ?? "")].join(" ").trim()),
    ...(near.length ? [h("p", { class: "near" }, "Near it: ", ...near.map((word) =>
      h("button", { type: "button", class: "word", click: () => onNear(problem, word) }, word)))] : []),
  ];
}

/** @param {State} state */
function statusWords(state) {
  if (state.engine === "asking") return `${state.waiting ? "Drawing begins when the model is loaded" : "The model is not loaded"}: see what it needs, and press “Load it”.`;
  if (state.waiting && state.engine === "ready") return `Drawing begins when ${verifierName(state.waiting.verifier)} has arrived. ${loadWords(state)}`;
  if (state.waiting) return `Drawing begins when the model is here. ${loadWords(state)}`;
  if (state.run === "stopping") return "Stopping after this step.";
  if (state.run === "drawing") return drawingWords(state);
  if (state.engine === "loading" || state.progress) return loadWords(state);
  if (state.resumable !== null) return `Stopped before step ${state.resumable + 1}.`;
  if (state.drawing.finished) return state.opened ? "Opened from a file: this trace was drawn elsewhere or before." : "Done.";
  if (state.opened) return "Opened from a file: this drawing was not finished.";
  if (state.engine === "failed") return "The model is not loaded.";
  if (state.engine === "ready") return "Ready to draw.";
  return "Draw loads the model first, once.";
}

/** @param {State} state */
function loadWords(state) {
  if (!state.progress) return "Loading.";
  return `${state.paused ? "Paused. " : ""}${progressWords(state.progress)}.`;
}

/** @param {State} state */
function drawingWords(state) {
  const { moments, latest, started } = state.drawing;
  const moment = moments[latest];
  // Weights may come first; later it is only a verifier that nobody waits for.
  if (!started || !moment) return state.progress ? loadWords(state) : "Reading the prompt.";
  if (moment.kind === "step") {
    const chosen = moment.tries.findIndex((attempt) => attempt.chosen);
    const words = [momentWords(moment)];
    if (drawsPaths(state.drawing)) words.push(`picture ${moment.tries.length} of ${started.settings.candidates}`);
    const score = moment.tries[chosen]?.score ?? null;
    if (score !== null) words.push(`draw ${chosen + 1} kept, scored ${scoreWords(score)}`);
    return `${words.join(": ")}.`;
  }
  return `${momentWords(moment)}.`;
}

/** @param {State} state */
function deviceWords(state) {
  if (state.opened && state.drawing.started) return `Drawn on: ${state.drawing.started.device}`;
  if (!state.device) return "";
  if (!state.model) return deviceSentence(state.device);
  const { grid, image_side_px, bundle, shards_bytes } = state.model;
  return `${deviceSentence(state.device)} Model ${bundle}: ${megabytes(shards_bytes)}, ${image_side_px}×${image_side_px} pixels, ${count(grid * grid, "token")}.`;
}
