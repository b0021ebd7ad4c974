// Painting on a finished picture: which tokens are painted, what is then asked of the engine, and the way back. Pure.

import { EMPTY_DRAWING } from "./drawing.js";
import { checked } from "./settings.js";
import { count } from "./words.js";

/** @import { Problem, Settings } from "./contract.js" */
/** @import { Drawing } from "./drawing.js" */
/** @import { Typed } from "./settings.js" */
/** @import { State } from "./state.js" */

/**
 * What a drawing begins from: a picture's N tokens, those in the hole to be drawn again.
 *
 * @typedef {{ codes: number[], hole: boolean[] }} Beginning
 *
 * A picture that was painted on, with what was painted.
 *
 * @typedef {{ drawing: Drawing, opened: boolean, hole: boolean[] | null }} Before
 */

/** How many pictures can be gone back to; each holds its previews. */
const MOST_BEFORE = 20;

/** Nothing painted, and nothing to go back to. @type {Pick<State, "hole" | "before" | "redraws" | "from">} */
export const UNPAINTED = Object.freeze({ hole: null, before: [], redraws: 0, from: null });

/** One flag a token of the finished picture. @param {State} state */
export function holeOf({ drawing, hole }) {
  return hole ?? Array.from(drawing.finished?.tokens ?? [], () => false);
}

/** The tokens under a brush of `size` × `size`, which has a middle; beyond the edge there are none. @param {number} position @param {number} side @param {number} size */
export function under(position, side, size) {
  const [row, column] = [Math.floor(position / side), position % side];
  const reach = (size - 1) / 2;
  const positions = [];
  for (let y = Math.max(0, row - reach); y <= Math.min(side - 1, row + reach); y += 1) {
    for (let x = Math.max(0, column - reach); x <= Math.min(side - 1, column + reach); x += 1) positions.push(y * side + x);
  }
  return positions;
}

/** The tokens on the way from one to another, both with it: a quick finger skips some. @param {number} from @param {number} to @param {number} side */
export function between(from, to, side) {
  const [row, column] = [Math.floor(from / side), from % side];
  const [down, across] = [Math.floor(to / side) - row, (to % side) - column];
  const steps = Math.max(Math.abs(down), Math.abs(across), 1);
  return Array.from({ length: steps + 1 }, (_, step) =>
    (row + Math.round((down * step) / steps)) * side + column + Math.round((across * step) / steps));
}

/** Where a key moves the cursor to; null where it is no key for that. @param {number} position @param {string} key @param {number} side */
export function moved(position, key, side) {
  const [row, column] = [Math.floor(position / side), position % side];
  switch (key) {
    case "ArrowUp": return row > 0 ? position - side : position;
    case "ArrowDown": return row < side - 1 ? position + side : position;
    case "ArrowLeft": return column > 0 ? position - 1 : position;
    case "ArrowRight": return column < side - 1 ? position + 1 : position;
    case "Home": return position - column;
    case "End": return position - column + side - 1;
    default: return null;
  }
}

/** @param {State} state @param {number[]} positions @param {boolean} painted or taken back @returns {State} */
export function withPainted(state, positions, painted) {
  const hole = [...holeOf(state)];
  for (const position of positions) hole[position] = painted;
  return { ...state, hole, problem: state.problem?.ofPaint ? null : state.problem };
}

/** @param {boolean[]} hole */
export function paintedWords(hole) {
  const painted = hole.filter(Boolean).length;
  if (!hole.length) return "";
  if (painted === 0) return `None of ${count(hole.length, "token")} is painted.`;
  return `${painted} of ${count(hole.length, "token")} ${painted === 1 ? "is" : "are"} painted.`;
}

/** @param {number} position @param {number} side */
export function placeWords(position, side) {
  return `row ${Math.floor(position / side) + 1}, column ${(position % side) + 1}`;
}

/**
 * Whether the page can be painted on: `nothing` is finished, something is `busy`, another moment is on show (`elsewhere`), or `here`.
 *
 * @param {State} state
 * @returns {"nothing" | "busy" | "elsewhere" | "here"}
 */
export function paintable({ drawing, run, waiting, selected, focused }) {
  if (run !== "idle" || waiting) return "busy";
  if (!drawing.finished) return "nothing";
  const atEnd = selected === null || selected >= drawing.moments.length - 1;
  return atEnd && focused === null ? "here" : "elsewhere";
}

/** A picture's tokens mean something to the model that drew it alone. @param {State} state @returns {Problem | null} */
export function otherModel({ drawing, model }) {
  const drawnWith = drawing.started?.bundle;
  if (!model || drawnWith === model.bundle) return null;
  return {
    code: "canvas", ofPaint: true,
    message: `This picture was drawn with “${drawnWith}”, and the model here is “${model.bundle}”, to which its tokens say nothing.`,
    remedy: "Open the picture’s own model, or draw another one to paint on.",
  };
}

/** Why nothing can be drawn from what is painted. @param {State} state @returns {Problem | null} */
function holeFault(state) {
  const hole = holeOf(state);
  const tokens = state.drawing.finished?.tokens.length ?? 0;
  if (hole.length !== tokens) {
    return {
      code: "canvas", ofPaint: true,
      message: `What is painted is for ${count(hole.length, "token")}, but the picture has ${tokens}.`, remedy: "Clear it and paint again.",
    };
  }
  if (hole.includes(true)) return null;
  return {
    code: "canvas", ofPaint: true, message: "Nothing is painted, so nothing would be drawn again.",
    remedy: "Paint on the picture first, with a finger or the mouse, or with arrow keys and Space.",
  };
}

/**
 * What is to be drawn when the painted tokens are: as the form says, with other words for the picture or its own.
 *
 * The same seed has the same noise in the same places and would often bring back what was painted over: each redraw takes the
 * next one.
 *
 * @param {State} state
 * @param {Typed} typed
 * @param {string} words
 * @returns {{ settings: Settings, from: Beginning } | { problem: Problem }}
 */
export function redrawing(state, typed, words) {
  const { started, finished } = state.drawing;
  if (!started || !finished) {
    return { problem: { code: "canvas", ofPaint: true, message: "There is no finished picture to paint on.", remedy: "Draw one, or open a trace." } };
  }
  const problem = otherModel(state) ?? holeFault(state);
  if (problem) return { problem };
  const result = checked({ ...typed, prompt: words.trim() || started.settings.prompt }, state.model?.grid ?? null);
  if ("problem" in result) return result;
  const next = result.settings.seed + state.redraws + 1;
  const seed = next <= Number.MAX_SAFE_INTEGER ? next : state.redraws;
  return { settings: { ...result.settings, seed }, from: { codes: finished.tokens, hole: holeOf(state) } };
}

/** What is remembered when a drawing begins: of one that begins from a picture, that picture. @param {State} state */
export function remembered({ from, before, redraws, drawing, opened, hole }) {
  if (!from) return UNPAINTED;
  return { ...UNPAINTED, before: [...before, { drawing, opened, hole }].slice(-MOST_BEFORE), redraws: redraws + 1 };
}

/** Back to the picture before, as it was painted. @param {State} state @returns {State} */
export function undone(state) {
  const last = state.before.at(-1);
  if (!last) return state;
  return {
    ...state, ...last, before: state.before.slice(0, -1), resumable: null, resumed: false, selected: null, focused: null, problem: null,
  };
}

/** Whether what was painted is being drawn, and has not begun. @param {State} state */
export function isAsked({ run, drawing, before }) {
  return run !== "idle" && !drawing.started && before.length > 0;
}

/** A drawing that ended before it began leaves the picture there that was painted on. @param {State} state @returns {State} */
export function restored(state) {
  if (state.drawing !== EMPTY_DRAWING || !state.before.length) return state;
  const { problem } = state;
  return { ...undone(state), redraws: state.redraws - 1, problem };
}

/** What the engine says of words and tokens, where the words were those beside the painting. @param {Problem} problem @returns {Problem} */
export function saidOfPaint(problem) {
  if (problem.field === "prompt") return { ...problem, field: "paint-words", ofPaint: true };
  return problem.code === "canvas" ? { ...problem, ofPaint: true } : problem;
}

/** How many tokens of a drawing were drawn, where the others were there before; null where all were. @param {Drawing} drawing */
export function drawnAgain({ started }) {
  return started?.begin?.length ? started.begin.filter((token) => token < 0).length : null;
}
