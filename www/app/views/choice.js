// The draws at the moment on show, with their scores, the kept one marked; and what became of every token.

import { byId, h, setText, whenChanged } from "../dom.js";
import { drawsPaths, focusOf, isJudged, pictureAt, statesAt } from "../drawing.js";
import { imageOf, sourceOf } from "../picture.js";
import { momentIndex } from "../state.js";
import { ring } from "./ring.js";
import { count, momentWords, scoreWords, verifierName } from "../words.js";

/** @import { Drawing, Moment, TokenState } from "../drawing.js" */
/** @import { VerifierMode } from "../contract.js" */
/** @import { State } from "../state.js" */

/** A grid with so many tokens along a side has no room for lines between them. */
const FINE = 24;

/** @param {(focused: number) => void} onFocus */
export function choiceView(onFocus) {
  const show = whenChanged((/** @type {Drawing} */ drawing, /** @type {number} */ index, /** @type {number | null} */ focused, /** @type {number} */ grid) => {
    const moment = drawing.moments[index];
    setText(byId("choice-title"), moment ? momentWords(moment) : "The choice at each step");
    setText(byId("choice-words"), moment ? choiceWords(drawing, moment) : "Its draws appear here, with what the verifier thinks of each.");
    showDraws(moment, focused, onFocus);
    showTokens(drawing, moment, focused, grid);
  });
  return (/** @type {State} */ state) => show(state.drawing, momentIndex(state), state.focused, state.facts?.grid ?? state.model?.grid ?? 8);
}

/**
 * @param {Moment | undefined} moment
 * @param {number | null} focused
 * @param {(focused: number) => void} onFocus
 */
function showDraws(moment, focused, onFocus) {
  const view = byId("candidates-view");
  const active = document.activeElement;
  const held = active && view.contains(active) ? [...view.children].indexOf(active) : -1;
  view.dataset.count = String(moment && moment.kind !== "round" ? moment.tries.length : moment ? 2 : 0);
  if (!moment) return view.replaceChildren();

  if (moment.kind === "round") {
    const { before, after, kept, score_before, score_after } = moment.event;
    view.replaceChildren(
      frame({ picture: before, name: "Before", score: score_before, chosen: !kept }),
      frame({ picture: after, name: "After", score: score_after, chosen: kept }),
    );
    return;
  }
  const focus = focusOf(moment, focused);
  const judged = isJudged(moment);
  view.replaceChildren(...moment.tries.map((attempt, number) => {
    const name = moment.kind === "step" ? `Draw ${number + 1}` : moment.tries.length > 1 ? `Picture ${number + 1}` : "Picture";
    const button = h("button", {
      type: "button", class: "candidate", "data-testid": "candidate", "aria-pressed": String(number === focus),
      "data-chosen": String(attempt.chosen), click: () => onFocus(number),
    }, ...frameParts({ picture: attempt.picture, name, score: attempt.score, chosen: attempt.chosen && (judged || moment.tries.length > 1) }));
    return button;
  }));
  // The buttons are new, the reader's place is not.
  if (held >= 0) /** @type {HTMLElement | undefined} */ (view.children[held])?.focus();
}

/** @param {Parameters<typeof frameParts>[0]} content */
function frame(content) {
  return h("div", { class: "candidate", "data-chosen": String(content.chosen) }, ...frameParts(content));
}

/** @param {{ picture: import("../contract.js").Picture | null, name: string, score: number | null, chosen: boolean }} content */
function frameParts({ picture, name, score, chosen }) {
  return [
    h("span", { class: "frame" }, imageOf(picture, ""), chosen ? ring(name) : null),
    h("span", { class: "candidate-words" },
      h("span", {}, name),
      score === null ? null : h("span", { class: chosen ? "score kept" : "score" }, scoreWords(score)),
      chosen ? h("span", { class: "unseen" }, "kept") : null),
  ];
}

/** @param {Drawing} drawing @param {Moment} moment */
function choiceWords(drawing, moment) {
  const mode = /** @type {VerifierMode} */ (drawing.started?.settings.verifier ?? "none");
  const judge = verifierName(mode);
  if (moment.kind === "round") {
    return moment.event.kept ? "The new picture is kept." : "The new picture scored lower; the old one stays.";
  }
  const chosen = moment.tries.findIndex((attempt) => attempt.chosen);
  if (moment.kind === "image") {
    if (moment.tries.length === 1) return drawing.finished && !drawing.reflectionEnded ? "All tokens are fixed." : "All tokens are fixed; reflection may follow.";
    return chosen < 0 ? `${judge} compares them when all are drawn.` : `${judge} prefers picture ${chosen + 1}.`;
  }
  if (mode === "parm-paths") {
    return isJudged(moment)
      ? `${count(moment.tries.length, "picture")} came this far; ${judge} gives up those that it no longer expects to succeed.`
      : "Too little is known yet for a judgement.";
  }
  if (drawsPaths(drawing)) {
    return `${count(moment.tries.length, "picture")} drawn side by side; ${judge} compares them at the end.`;
  }
  if (!isJudged(moment)) return moment.tries.length > 1 ? "Drawn without a score." : "One draw, with nothing to compare.";
  return `${judge} compares ${count(moment.tries.length, "draw")} and keeps draw ${chosen + 1}.`;
}

/**
 * @param {Drawing} drawing
 * @param {Moment | undefined} moment
 * @param {number | null} focused
 * @param {number} grid the model's, before anything is drawn
 */
function showTokens(drawing, moment, focused, grid) {
  const side = drawing.started?.grid ?? grid;
  const states = moment ? statesAt(moment, focused, side) : Array.from({ length: side * side }, () => /** @type {TokenState} */ ("masked"));
  const tokens = moment && moment.kind !== "round" ? moment.tries[focusOf(moment, focused)]?.tokens : null;
  const counts = { fixed: 0, new: 0, masked: 0 };
  for (const state of states) counts[state] += 1;

  const view = byId("token-grid");
  view.style.setProperty("--side", String(side));
  view.classList.toggle("fine", side >= FINE);
  const picture = moment ? pictureAt(moment, focused) : null;
  view.style.setProperty("background-image", picture ? `url("${sourceOf(picture)}")` : "none");
  // Reusing the cells lets a change of state fade in.
  while (view.children.length > states.length) view.lastElementChild?.remove();
  while (view.children.length < states.length) view.append(h("span", { class: "cell" }));
  states.forEach((state, position) => {
    const cell = /** @type {HTMLElement} */ (view.children[position]);
    cell.dataset.state = state;
    const place = `row ${Math.floor(position / side) + 1}, column ${(position % side) + 1}`;
    cell.title = `${place}: ${state === "masked" ? "masked" : `${tokens ? `code ${tokens[position]}, ` : ""}${state === "new" ? "new" : "fixed"}`}`;
  });
  const renewed = moment?.kind === "round";
  view.setAttribute("aria-label",
    `${side} by ${side} tokens: ${counts.fixed} fixed before, ${counts.new} ${renewed ? "drawn again" : "new in this step"}, ${counts.masked} masked again`);
  for (const state of /** @type {const} */ (["fixed", "new", "masked"])) setText(byId(`count-${state}`), String(counts[state]));
  setText(byId("words-new"), renewed ? "drawn again" : "new in this step");
  setText(byId("words-masked"), moment ? "masked again" : "masked");
}
