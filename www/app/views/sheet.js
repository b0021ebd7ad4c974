// The contact sheet: every draw of every step, the kept ones ringed, their scores beneath, and under it the time axis.
//
// The axis is a range input whose thumb is as wide as a column, so that it points at what it selects.

import { byId, h, setText, whenChanged } from "../dom.js";
import { isJudged } from "../drawing.js";
import { imageOf } from "../picture.js";
import { momentIndex } from "../state.js";
import { momentMark, momentWords } from "../words.js";
import { ring } from "./ring.js";

/** @import { Moment } from "../drawing.js" */
/** @import { State } from "../state.js" */

/** How long a step stays on show while the drawing is played back. */
const PLAY_PACE_MS = 450;

/** More columns than this do not share the page's width. */
const LONG = 24;

/** @param {(index: number | null) => void} onSelect null goes back to following the newest */
export function sheetView(onSelect) {
  const axis = /** @type {HTMLInputElement} */ (byId("time-axis"));
  const frames = byId("frames");
  /** @type {WeakMap<Moment, HTMLElement>} a moment that has not changed keeps its column */
  const columns = new WeakMap();
  /** @type {ReturnType<typeof setInterval> | undefined} */
  let playing;

  const pausePlaying = () => {
    clearInterval(playing);
    playing = undefined;
    setText(byId("play"), "Play");
  };
  axis.addEventListener("input", () => {
    pausePlaying();
    // Kept only while it stands still: at the end of the axis the view follows the drawing again.
    onSelect(axis.valueAsNumber >= Number(axis.max) ? null : axis.valueAsNumber);
  });
  byId("play").addEventListener("click", () => {
    if (playing) return pausePlaying();
    setText(byId("play"), "Pause");
    let index = axis.valueAsNumber >= Number(axis.max) ? 0 : axis.valueAsNumber;
    onSelect(index);
    playing = setInterval(() => {
      index += 1;
      const atEnd = index >= Number(axis.max);
      onSelect(atEnd ? null : index);
      if (atEnd) pausePlaying();
    }, PLAY_PACE_MS);
  });
  frames.addEventListener("click", (event) => {
    const column = event.target instanceof Element ? event.target.closest(".column") : null;
    if (!column) return;
    const index = [...frames.children].indexOf(column);
    pausePlaying();
    onSelect(index === frames.children.length - 1 ? null : index);
  });

  const showFrames = whenChanged((/** @type {Moment[]} */ moments, /** @type {number} */ expected) => {
    byId("sheet").hidden = moments.length === 0;
    const rows = Math.max(1, ...moments.map((moment) => (moment.kind === "round" ? 1 : moment.tries.length)));
    const scores = moments.flatMap((moment) => (moment.kind === "step" ? moment.tries.map((attempt) => attempt.score ?? NaN) : [])).filter(Number.isFinite);
    const strip = byId("film");
    // Room for the steps to come is kept from the start, so that nothing moves while drawing.
    strip.style.setProperty("--columns", String(Math.max(moments.length, expected)));
    strip.style.setProperty("--taken", String(Math.max(1, moments.length)));
    strip.style.setProperty("--rows", String(rows));
    strip.style.setProperty("--low", String(Math.min(...scores, Infinity)));
    strip.style.setProperty("--span", String(Math.max(1e-6, Math.max(...scores, -Infinity) - Math.min(...scores, Infinity))));
    strip.classList.toggle("scored", scores.length > 0);
    // Frames of many steps keep a size at which something is seen; the film is then longer than the page is wide.
    strip.classList.toggle("long", Math.max(moments.length, expected) > LONG);
    frames.replaceChildren(...moments.map((moment) => {
      const column = columns.get(moment) ?? columnOf(moment);
      columns.set(moment, column);
      return column;
    }));
    frames.setAttribute("aria-label", `${moments.length} columns, one for each step, with up to ${rows} draws each; the kept ones are ringed. The slider below goes through them.`);
    axis.max = String(Math.max(0, moments.length - 1));
    setText(byId("sheet-words"), scores.length ? "Every draw of every step. Dots are scores; red is kept." : "Every draw of every step.");
  });

  const showSelected = whenChanged((/** @type {Moment[]} */ moments, /** @type {number} */ index) => {
    [...frames.children].forEach((column, number) => column.classList.toggle("on-show", number === index));
    axis.value = String(Math.max(0, index));
    if (moments[index]) axis.setAttribute("aria-valuetext", momentWords(moments[index]));
    keepInSight(/** @type {HTMLElement | undefined} */ (frames.children[index]));
  });

  return (/** @type {State} */ state) => {
    const { moments, started } = state.drawing;
    showFrames(moments, started ? started.settings.steps + 1 : 0);
    showSelected(moments, momentIndex(state));
  };
}

/** @param {Moment} moment */
function columnOf(moment) {
  const column = h("div", { class: "column", "data-kind": moment.kind, title: momentWords(moment) });
  column.append(h("span", { class: "edge" }, momentMark(moment)));
  if (moment.kind === "round") {
    const { kept, before, after } = moment.event;
    column.append(h("div", { class: "column-frames" }, h("div", { class: "frame" }, imageOf(kept ? after : before, ""))));
    return column;
  }
  const judged = isJudged(moment) || moment.tries.length > 1;
  column.append(h("div", { class: "column-frames" }, ...moment.tries.map((attempt, number) =>
    h("div", { class: "frame" }, imageOf(attempt.picture, ""), attempt.chosen && judged ? ring(`${momentMark(moment)}${number}`) : null))));
  if (moment.kind === "step") {
    const dots = h("div", { class: "dots" });
    for (const attempt of moment.tries) {
      if (attempt.score === null) continue;
      const dot = h("i", { class: attempt.chosen ? "dot chosen" : "dot" });
      dot.style.setProperty("--score", String(attempt.score));
      dots.append(dot);
    }
    column.append(dots);
  }
  return column;
}

/** Scrolls the film sideways only; the page itself never jumps. @param {HTMLElement | undefined} column */
function keepInSight(column) {
  const film = byId("film");
  if (!column || film.scrollWidth <= film.clientWidth) return;
  const left = column.offsetLeft;
  if (left < film.scrollLeft) film.scrollLeft = left;
  else if (left + column.offsetWidth > film.scrollLeft + film.clientWidth) film.scrollLeft = left + column.offsetWidth - film.clientWidth;
}
