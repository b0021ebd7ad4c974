// The brush: tokens of the finished picture are painted, by finger, mouse or keys, and drawn again.

import { byId, h, setText, whenChanged } from "../dom.js";
import { between, holeOf, moved, otherModel, paintable, paintedWords, placeWords, under, undone, withPainted } from "../paint.js";
import { problemParts } from "./announcements.js";

/** @import { Problem } from "../contract.js" */
/** @import { State } from "../state.js" */

/**
 * @param {object} page
 * @param {() => State} page.now
 * @param {(next: State) => void} page.change
 * @param {(words: string) => void} page.onRedraw with other words, or none
 * @param {(unknown: Problem, near: string) => void} page.onNear
 */
export function paintView({ now, change, onRedraw, onNear }) {
  const fold = /** @type {HTMLDetailsElement} */ (byId("paint"));
  const grid = byId("paint-grid");
  const words = /** @type {HTMLInputElement} */ (byId("paint-words"));
  const brushes = /** @type {HTMLButtonElement[]} */ ([...fold.querySelectorAll("[data-brush]")]);
  let size = 1;
  let [side, cursor] = [0, 0];
  /** The stroke under way: where it is, and whether it paints or takes back. @type {{ at: number, painted: boolean } | null} */
  let stroke = null;

  /** @param {number[]} positions @param {boolean} painted */
  const touch = (positions, painted) => change(withPainted(now(), positions.flatMap((position) => under(position, side, size)), painted));
  const isPainted = (/** @type {number} */ position) => holeOf(now())[position];
  const cell = (/** @type {number} */ position) => /** @type {HTMLElement | null} */ (document.getElementById(`paint-${position}`));

  /** @param {number} to */
  function moveCursor(to) {
    cell(cursor)?.classList.remove("at");
    cursor = to;
    cell(cursor)?.classList.add("at");
    grid.setAttribute("aria-activedescendant", `paint-${cursor}`);
  }

  /** The token under a pointer, the nearest one where it has left the picture. @param {PointerEvent} event */
  function positionOf({ clientX, clientY }) {
    const { left, top, width, height } = grid.getBoundingClientRect();
    const along = (/** @type {number} */ offset, /** @type {number} */ length) => Math.min(side - 1, Math.max(0, Math.floor((offset / length) * side)));
    return along(clientY - top, height) * side + along(clientX - left, width);
  }

  grid.addEventListener("pointerdown", (event) => {
    if (!event.isPrimary || event.button !== 0) return;
    grid.setPointerCapture(event.pointerId);
    const at = positionOf(event);
    stroke = { at, painted: !isPainted(at) };
    moveCursor(at);
    touch([at], stroke.painted);
  });
  grid.addEventListener("pointermove", (event) => {
    if (!stroke || !event.isPrimary) return;
    const at = positionOf(event);
    if (at === stroke.at) return;
    touch(between(stroke.at, at, side), stroke.painted);
    stroke.at = at;
    moveCursor(at);
  });
  for (const end of /** @type {const} */ (["pointerup", "pointercancel", "lostpointercapture"])) grid.addEventListener(end, () => (stroke = null));
  grid.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const to = moved(cursor, event.key, side);
    if (to === null && event.key !== " ") return;
    event.preventDefault();
    if (to !== null) moveCursor(to);
    else if (!event.repeat) touch([cursor], !isPainted(cursor));
  });

  for (const button of brushes) {
    button.addEventListener("click", () => {
      size = Number(button.dataset.brush);
      for (const other of brushes) other.setAttribute("aria-pressed", String(other === button));
    });
  }
  // Painting is on the finished picture, whatever was looked at before.
  fold.addEventListener("toggle", () => change(fold.open && now().run === "idle" ? { ...now(), selected: null, focused: null } : { ...now() }));
  byId("paint-clear").addEventListener("click", () => change({ ...withPainted(now(), [], false), hole: null }));
  byId("paint-undo").addEventListener("click", () => change(undone(now())));
  byId("paint-redraw").addEventListener("click", () => onRedraw(words.value));
  words.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.isComposing || event.repeat) return;
    event.preventDefault();
    if (paintable(now()) === "here") onRedraw(words.value);
  });
  words.addEventListener("input", () => now().problem?.ofPaint && change({ ...now(), problem: null }));

  const showCells = whenChanged((/** @type {number} */ tokens) => {
    side = Math.sqrt(tokens);
    grid.style.setProperty("--side", String(side));
    grid.replaceChildren(...Array.from({ length: side }, (_, row) =>
      h("div", { role: "row" }, ...Array.from({ length: side }, (_, column) => {
        const position = row * side + column;
        return h("span", { id: `paint-${position}`, role: "gridcell", "aria-label": placeWords(position, side) });
      }))));
    // The middle is nearest to whatever is to be painted.
    moveCursor(Math.floor(side / 2) * side + Math.floor(side / 2));
  });
  const showHole = whenChanged((/** @type {State["hole"]} */ hole, /** @type {number} */ tokens) => {
    for (let position = 0; position < tokens; position += 1) cell(position)?.setAttribute("aria-selected", String(hole?.[position] ?? false));
  });
  const showProblem = whenChanged((/** @type {Problem | null} */ problem) => {
    byId("paint-error").replaceChildren(...(problem ? problemParts(problem, onNear) : []));
    const atWords = problem?.field === "paint-words";
    words.toggleAttribute("aria-invalid", false);
    words.removeAttribute("aria-describedby");
    if (!atWords) return;
    words.setAttribute("aria-invalid", "true");
    words.setAttribute("aria-describedby", "paint-error");
    words.focus();
  });

  return (/** @type {State} */ state) => {
    const where = paintable(state);
    const foreign = where === "here" ? otherModel(state) : null;
    const here = where === "here" && !foreign;
    const hole = holeOf(state);
    grid.hidden = !fold.open || !here;
    if (!grid.hidden) {
      showCells(hole.length);
      showHole(state.hole, hole.length);
    }
    if (grid.hidden) stroke = null;
    setText(byId("paint-hint"), foreign ? `${foreign.message} ${foreign.remedy}` : hintWords(state, where));
    setText(byId("paint-count"), here ? paintedWords(hole) : "");
    words.placeholder = state.drawing.started?.settings.prompt ?? "";
    showProblem(state.problem?.ofPaint ? state.problem : null);
    /** @param {string} id @param {boolean} usable */
    const enable = (id, usable) => (/** @type {HTMLButtonElement} */ (byId(id)).disabled = !usable);
    enable("paint-redraw", here);
    enable("paint-clear", here && hole.includes(true));
    enable("paint-undo", where !== "busy" && state.before.length > 0);
  };
}

/** @param {State} state @param {ReturnType<typeof paintable>} where */
function hintWords(state, where) {
  if (where === "busy") return "A picture is being drawn.";
  if (where === "elsewhere") return "Only the finished picture can be painted on: it is at the end of the time axis.";
  if (where === "here") {
    return "Paint on the picture what is to be drawn again; painting over it takes it back. It is drawn as the form says, with the next seed. "
      + "A saved trace holds what was painted; a link does not.";
  }
  return state.before.length ? "This redraw was stopped. Go on with it, or undo it." : "First draw a picture, or open a trace.";
}
