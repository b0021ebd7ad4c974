// Reflection, round by round: what each patch scored, which were weak, the picture before and after, and the end.

import { byId, h, setText, whenChanged } from "../dom.js";
import { imageOf } from "../picture.js";
import { count, plain, reflectionEndWords, scoreWords } from "../words.js";
import { ring } from "./ring.js";

/** @import { Picture, ReflectionEvent } from "../contract.js" */
/** @import { Drawing } from "../drawing.js" */
/** @import { State } from "../state.js" */

export function reflectionView() {
  const show = whenChanged((/** @type {Drawing} */ drawing) => {
    const settings = drawing.started?.settings.reflection;
    const rounds = drawing.moments.flatMap((moment) => (moment.kind === "round" ? [moment.event] : []));
    const ended = drawing.reflectionEnded;
    byId("reflection-view").hidden = rounds.length === 0 && !ended;
    setText(byId("reflection-words"), settings
      ? `Patches that score below τ = ${plain(settings.threshold)} are outlined and drawn again.` : "");
    byId("reflection-rounds").replaceChildren(...rounds.map((event) => roundOf(event, settings?.epsilon ?? null)), ...lastLookOf(drawing));
    setText(byId("reflection-end"), ended ? reflectionEndWords(ended.reason, ended.rounds, settings) : "");
  });
  return (/** @type {State} */ state) => show(state.drawing);
}

/** @param {ReflectionEvent} event @param {number | null} epsilon */
function roundOf(event, epsilon) {
  const weak = event.weak.filter(Boolean).length;
  const scores = event.score_before !== null && event.score_after !== null
    ? `Score of the whole: ${scoreWords(event.score_before)} before, ${scoreWords(event.score_after)} after.` : "";
  const change = `Changed by ${plain(event.distance)}${epsilon === null ? "" : ` (ε = ${plain(epsilon)})`}.`;
  return h("li", { class: "round", "data-testid": "round", "data-kept": String(event.kept) },
    h("div", { class: "pair" },
      patched(event.before, event.patch_grid, event.patch_scores, event.weak, "Before", !event.kept),
      h("span", { class: "arrow", "aria-hidden": "true" }, "→"),
      patched(event.after, event.patch_grid, null, event.weak, "After", event.kept)),
    h("div", { class: "round-words" },
      h("h3", {}, `Round ${event.round}: ${event.kept ? "kept" : "not kept"}`),
      h("p", {}, `${count(weak, "weak patch").replace("patchs", "patches")} of ${event.weak.length}. ${scores} ${change}`)));
}

/** When the last look found nothing weak, it changed nothing, but its scores are the reason to stop. @param {Drawing} drawing */
function lastLookOf(drawing) {
  const ended = drawing.reflectionEnded;
  const picture = drawing.finished?.picture;
  if (!ended || !picture || ended.reason !== "nothing_weak" || ended.patch_scores.length === 0) return [];
  const side = Math.round(Math.sqrt(ended.patch_scores.length));
  return [h("li", { class: "round", "data-testid": "last-look" },
    h("div", { class: "pair" }, patched(picture, side, ended.patch_scores, ended.patch_scores.map(() => false), "Last look", false)),
    h("div", { class: "round-words" }, h("h3", {}, "Last look"), h("p", {}, "Every patch is at or above τ.")))];
}

/**
 * A picture under its M × M grid of patches.
 *
 * @param {Picture} picture
 * @param {number} side M
 * @param {number[] | null} scores
 * @param {boolean[]} weak
 * @param {string} name
 * @param {boolean} kept
 */
function patched(picture, side, scores, weak, name, kept) {
  const cells = weak.map((isWeak, index) => h("span", { class: isWeak ? "patch weak" : "patch" },
    scores ? h("span", { class: "patch-score" }, scoreWords(scores[index])) : null));
  const grid = h("div", { class: "patches", "aria-hidden": "true" }, ...cells);
  grid.style.setProperty("--side", String(side));
  // Beyond six patches a side the numbers no longer fit; the outlines still do.
  grid.classList.toggle("dense", side > 6);
  return h("figure", { class: "patched" },
    h("div", { class: "frame" }, imageOf(picture, altOf(name, side, scores, weak)), grid, kept ? ring(name) : null),
    h("figcaption", {}, name));
}

/** The same in words, for those who do not see the overlay. @param {string} name @param {number} side @param {number[] | null} scores @param {boolean[]} weak */
function altOf(name, side, scores, weak) {
  if (!scores) return `${name} the round`;
  const weakest = scores.flatMap((score, index) => (weak[index]
    ? [`row ${Math.floor(index / side) + 1} column ${(index % side) + 1} scored ${scoreWords(score)}`] : []));
  return `${name}; ${weakest.length ? `weak patches: ${weakest.join(", ")}` : "no weak patches"}`;
}
