// Painting on a picture: the brush, what is asked of the engine, what is refused, and the way back.
import assert from "node:assert/strict";
import { test } from "node:test";

import { EMPTY_DRAWING, withEvent } from "../app/drawing.js";
import {
  between, drawnAgain, holeOf, moved, otherModel, paintable, paintedWords, placeWords, redrawing, under, undone, withPainted,
} from "../app/paint.js";
import { checked, DEFAULTS } from "../app/settings.js";
import { drawingBegun, INITIAL_STATE, received, stopped } from "../app/state.js";
import { fromFile } from "../app/trace_file.js";

const PICTURE = { width_px: 4, height_px: 4, png_base64: "iVBORw0KGgo=" };
const { settings } = checked({ ...DEFAULTS, prompt: "a star" }, 2);
const started = { type: "started", version: 1, settings, prompt_ids: [1], grid: 2, image_side_px: 4, device: "d", bundle: "b" };
const finished = {
  type: "finished", tokens: [5, 6, 7, 8], picture: PICTURE, verdict: null, unchecked: null,
  totals: { generator_forwards: 1, reward_forwards: 0, decoded_pictures: 1, seconds: 1 },
};
const drawn = (...events) => events.reduce(withEvent, EMPTY_DRAWING);
const READY = { ...INITIAL_STATE, engine: "ready", model: { bundle: "b", grid: 2 }, drawing: drawn(started, finished) };
/** As the page asks for what is painted, with these words. */
const asked = (state, words = "", typed = DEFAULTS) => redrawing(state, typed, words);
const begun = (state) => drawingBegun({ ...state, from: asked(state).from });

test("a brush covers the tokens around one, and none beyond the edge", () => {
  assert.deepEqual(under(5, 4, 1), [5]);
  assert.deepEqual(under(5, 4, 3), [0, 1, 2, 4, 5, 6, 8, 9, 10]);
  assert.deepEqual(under(0, 4, 3), [0, 1, 4, 5]);
  assert.deepEqual(under(15, 4, 3), [10, 11, 14, 15]);
});

test("a stroke leaves no gaps, in any direction", () => {
  assert.deepEqual(between(0, 15, 4), [0, 5, 10, 15]);
  assert.deepEqual(between(12, 3, 4), [12, 9, 6, 3]);
  assert.deepEqual(between(6, 6, 4), [6, 6]);
  for (const [from, to] of [[0, 63], [7, 56], [2, 61], [60, 5]]) {
    const way = between(from, to, 8);
    assert.deepEqual([way[0], way.at(-1)], [from, to]);
    for (let step = 1; step < way.length; step += 1) {
      const [down, across] = [Math.floor(way[step] / 8) - Math.floor(way[step - 1] / 8), (way[step] % 8) - (way[step - 1] % 8)];
      assert.ok(Math.abs(down) <= 1 && Math.abs(across) <= 1, `${from} to ${to}`);
    }
  }
});

test("keys move the cursor as far as the edge, and others do not", () => {
  const along = (keys, from = 5) => keys.reduce((position, key) => moved(position, key, 4), from);
  assert.equal(along(["ArrowUp", "ArrowUp", "ArrowUp"]), 1);
  assert.equal(along(["ArrowLeft", "ArrowLeft"]), 4);
  assert.equal(along(["ArrowDown", "ArrowDown", "ArrowDown", "ArrowRight", "ArrowRight", "ArrowRight"]), 15);
  assert.deepEqual([along(["Home"]), along(["End"])], [4, 7]);
  assert.equal(moved(5, "a", 4), null);
});

test("what is painted is counted in words, and a place is named", () => {
  assert.equal(paintedWords([false, false]), "None of 2 tokens is painted.");
  assert.equal(paintedWords([true, false]), "1 of 2 tokens is painted.");
  assert.equal(paintedWords([true, true]), "2 of 2 tokens are painted.");
  assert.equal(placeWords(5, 4), "row 2, column 2");
});

test("only the finished picture is painted on, and only while nothing is drawn", () => {
  assert.equal(paintable(INITIAL_STATE), "nothing");
  assert.equal(paintable(READY), "here");
  assert.equal(paintable({ ...READY, run: "drawing" }), "busy");
  assert.equal(paintable({ ...READY, waiting: settings }), "busy");
  assert.equal(paintable({ ...READY, focused: 0 }), "elsewhere");
  const moments = { ...READY.drawing, moments: [1, 2, 3] };
  assert.equal(paintable({ ...READY, drawing: moments, selected: 0 }), "elsewhere");
  assert.equal(paintable({ ...READY, drawing: moments, selected: 2 }), "here");
});

test("the engine is asked for the painted tokens, as the form says, with the picture's words or others, and the next seed", () => {
  const painted = withPainted(READY, [1, 2], true);
  assert.deepEqual(holeOf(withPainted(painted, [2], false)), [false, true, false, false]);
  const typed = { ...DEFAULTS, prompt: "something else", seed: "41", candidates: "3" };
  const { settings: plain, from } = asked(painted, " ", typed);
  assert.deepEqual(from, { codes: [5, 6, 7, 8], hole: [false, true, true, false] });
  assert.deepEqual([plain.prompt, plain.seed, plain.candidates], ["a star", 42, 3]);
  assert.equal(asked(painted, " a moon ", typed).settings.prompt, "a moon");
  assert.equal(asked({ ...painted, redraws: 2 }, "", typed).settings.seed, 44);
  assert.equal(asked(painted, "", { ...DEFAULTS, seed: String(Number.MAX_SAFE_INTEGER) }).settings.seed, 0);
  assert.equal(asked(painted, "", { ...DEFAULTS, steps: "0" }).problem.field, "steps");
});

test("a mask that is empty or of another size, no picture, and another model's picture are each refused with a sentence", () => {
  const refused = (state) => {
    const { problem } = asked(state);
    assert.ok(problem.ofPaint && problem.remedy, "it is said beside the brush, with a remedy");
    return problem.message;
  };
  assert.match(refused(READY), /Nothing is painted/);
  assert.match(refused({ ...READY, hole: [false, false, false, false] }), /Nothing is painted/);
  assert.match(refused({ ...READY, hole: [true] }), /for 1 token, but the picture has 4/);
  assert.match(refused(INITIAL_STATE), /no finished picture/);
  assert.match(refused({ ...withPainted(READY, [0], true), model: { bundle: "other", grid: 2 } }), /“b”.*“other”/);
  assert.equal(otherModel({ ...READY, model: null }), null, "a model that has not arrived may be the right one");
});

test("undo goes back picture by picture, each as it was painted", () => {
  const first = withPainted(READY, [0], true);
  const second = { ...begun(first), run: "idle", drawing: drawn({ ...started, begin: [-1, 6, 7, 8] }, { ...finished, tokens: [9, 6, 7, 8] }) };
  assert.deepEqual([second.before.length, second.redraws, second.hole], [1, 1, null]);
  assert.equal(drawnAgain(second.drawing), 1);
  assert.equal(drawnAgain(first.drawing), null);
  const third = begun(withPainted(second, [3], true));
  assert.deepEqual([third.before.length, third.redraws, third.drawing], [2, 2, EMPTY_DRAWING]);
  const back = undone({ ...third, run: "idle", resumable: 3 });
  assert.deepEqual([back.drawing, back.hole, back.resumable], [second.drawing, [false, false, false, true], null]);
  const home = undone(back);
  assert.deepEqual([home.drawing, home.hole, home.before], [first.drawing, first.hole, []]);
  assert.equal(home.redraws, 2, "the next redraw has a seed of its own");
  assert.equal(undone(home), home);
  // A picture that is drawn from nothing has none before it.
  const { before, hole, redraws } = drawingBegun({ ...second, from: null });
  assert.deepEqual([before, hole, redraws], [[], null, 0]);
});

test("no more pictures are kept than can be held", () => {
  let state = withPainted(READY, [0], true);
  for (let count = 0; count < 30; count += 1) state = withPainted({ ...begun(state), run: "idle", drawing: READY.drawing }, [0], true);
  assert.deepEqual([state.before.length, state.redraws], [20, 30]);
});

test("a redraw that is refused before it begins leaves the picture and what was painted", () => {
  const painted = withPainted(READY, [2], true);
  const problem = { code: "unknown_word", field: "prompt", message: "m", word: "dgo", near: ["dog"], place: [2, 5] };
  const told = received(begun(painted), { type: "error", error: problem });
  assert.deepEqual(told.problem, { ...problem, field: "paint-words", ofPaint: true });
  const after = received(told, { type: "done" });
  assert.deepEqual([after.run, after.drawing, after.hole, after.before, after.redraws], ["idle", painted.drawing, painted.hole, [], 0]);
  assert.equal(after.problem, told.problem);
  assert.equal(withPainted(after, [], true).problem, null, "painting on takes it back");
  // What has to do with other settings stays at those.
  const other = received(begun(painted), { type: "error", error: { code: "verifier_missing", field: "verifier", message: "m" } });
  assert.deepEqual([other.problem?.field, other.problem?.ofPaint], ["verifier", undefined]);
  // So does a worker that stops; once it has begun, the drawing is what is on the page.
  const lost = stopped(begun(painted), "why", false);
  assert.deepEqual([lost.drawing, lost.resumable], [painted.drawing, null]);
  const going = received(begun(painted), { type: "event", event: { ...started, begin: [5, 6, -1, 8] } });
  assert.equal(received(going, { type: "done" }).drawing.started?.begin?.[2], -1);
});

test("a trace's own tokens and what it began with are looked at", () => {
  const trace = (over, end = {}) => JSON.stringify([{ ...started, ...over }, { ...finished, ...end }]);
  assert.equal(fromFile(trace({ begin: [5, -1, -1, 8] })).length, 2);
  for (const begin of [[], [1, 2, 3], [5, -2, 1, 1], [0.5, 1, 1, 1], "5", null]) assert.throws(() => fromFile(trace({ begin })), /Event 1.*begin/);
  for (const tokens of [undefined, [], [1, 2, 3, -1], [1, 2, 3, "4"]]) assert.throws(() => fromFile(trace({}, { tokens })), /Event 2.*tokens/);
});
