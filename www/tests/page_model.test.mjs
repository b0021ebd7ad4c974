// The page's pure parts: settings and links, the fold of events, the state, and hostile trace files.
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";

import { TRACE_VERSION } from "../app/contract.js";
import { EMPTY_DRAWING, focusOf, statesAt, withEvent } from "../app/drawing.js";
import { checked, DEFAULTS, fromHash, asDrawnBy, settingsFault, toHash, typedFrom } from "../app/settings.js";
import { drawingResumed, INITIAL_STATE, momentIndex, readiness, received, stopped, toEnlarge } from "../app/state.js";
import { fromFile } from "../app/trace_file.js";
import { progressWords, reflectionEndWords, sentence, verdictWords, verifierName } from "../app/words.js";
import { worldOf } from "../app/worlds.js";

const PICTURE = { width_px: 4, height_px: 4, png_base64: "iVBORw0KGgo=" };
const SETTINGS = checked(DEFAULTS, 8).settings;
const started = (verifier = "parm") => ({
  type: "started", version: 1, settings: { ...SETTINGS, verifier }, prompt_ids: [1], grid: 2, image_side_px: 4, device: "d", bundle: "b",
});
const candidate = (tokens, score = null) => ({ tokens, sampled: [1, 2, 3, 4], score, preview: PICTURE });
const step = (number, over = {}) => ({
  type: "step", path: 0, step: number, steps: 2, known_before: [true, false, false, false],
  candidates: [candidate([1, 5, -1, -1], 0.1), candidate([1, -1, 6, -1], 0.9)], chosen: 1, masked_after: 2, milliseconds: 1, ...over,
});
const fold = (...events) => events.reduce(withEvent, EMPTY_DRAWING);

test("the defaults are valid, and a link brings every setting back", () => {
  assert.equal(SETTINGS.steps, 14);
  assert.equal(SETTINGS.generator, "base");
  assert.equal(SETTINGS.reflection, null);
  const typed = { ...DEFAULTS, prompt: "a red circle & a blue = square", reflection: "1", previews: "", tau: "0.35" };
  assert.deepEqual(fromHash(toHash(typed)), typed);
  assert.deepEqual(fromHash("#nonsense=1&%"), DEFAULTS);
});

test("a link's names are settings or nothing", () => {
  for (const name of ["toString", "constructor", "__proto__", "hasOwnProperty", "valueOf", "%E0%A4%A", ""]) {
    const typed = fromHash(`#${name}=1`);
    assert.deepEqual(Object.entries(typed), Object.entries(DEFAULTS), name);
  }
  assert.equal(fromHash("#steps=3&steps=5").steps, "5");
  assert.equal(toHash({ ...DEFAULTS, previews: "" }).match(/previews=([^&]*)/)?.[1], "0");
});

test("a choice that there is none of is refused by its name, and stays typed", () => {
  for (const [id, ...values] of [["verifier", "nonsense", "toString", "__proto__", "", "PARM"], ["generator", "constructor", "", "dpo "], ["accept", "sometimes", "valueOf"]]) {
    for (const value of values) {
      const typed = fromHash(`#reflection=1&${new URLSearchParams([[id, value]])}`);
      assert.equal(typed[id], value);
      const { problem } = checked(typed, 8);
      assert.equal(problem?.field, id, `${id} = ${value}`);
      assert.ok(problem.message.includes(`“${value}”`), problem.message);
    }
  }
  assert.ok(checked({ ...DEFAULTS, accept: "sometimes" }, 8).settings, "without reflection there is nothing to keep");
  assert.ok(checked(fromHash(`#verifier=${"x".repeat(1e5)}`), 8).problem.message.length < 200);
});

test("names from elsewhere are shown as they are, never looked up in what every object has", () => {
  assert.equal(verifierName("constructor"), "“constructor”");
  assert.equal(verifierName("parm"), "PARM");
  assert.equal(progressWords({ type: "progress", phase: "toString", bytes_done: 0, bytes_total: 0, source: "network" }), "Fetching toString");
  assert.equal(settingsFault(SETTINGS), null);
  for (const [over, pattern] of [
    [{ verifier: "toString" }, /verifier “toString”/], [{ verifier: undefined }, /verifier/], [{ generator: "__proto__" }, /generator “__proto__”/],
    [{ prompt: 7 }, /prompt/], [{ steps: "3" }, /steps/], [{ reflection: {} }, /threshold/],
    [{ reflection: { threshold: 1, epsilon: 1, rounds: 1, patch_grid: 2, accept: "valueOf" } }, /“valueOf”/]]) {
    assert.match(settingsFault({ ...SETTINGS, ...over }) ?? "", pattern);
  }
  assert.notEqual(settingsFault(null), null);
});

test("before a model has arrived the form says what its bundle recommends", () => {
  const models = new URL("../models/", import.meta.url);
  for (const model of readdirSync(models)) {
    const { decoding } = JSON.parse(readFileSync(new URL(`${model}/manifest.json`, models), "utf8"));
    const { settings } = checked(fromHash("", worldOf(model).typed), null);
    const { steps, guidance_scale, temperature, candidates, verifier } = settings;
    assert.deepEqual({ steps, guidance_scale, temperature, candidates, verifier }, decoding, model);
  }
});

test("settings from a trace come back as they were typed, without the float's tail", () => {
  const settings = checked({ ...DEFAULTS, reflection: "1" }, 8).settings;
  settings.reflection.threshold = Math.fround(0.2);
  assert.equal(typedFrom(settings).tau, "0.2");
});

test("another way of drawing leaves the prompt, the seed and the previews alone", () => {
  const mine = { ...DEFAULTS, prompt: "two moons", seed: "12", previews: "" };
  const way = checked({ ...DEFAULTS, generator: "dpo-parm", verifier: "parm-paths", candidates: "8", reflection: "1", tau: "1.8", rounds: "4", accept: "if-doubted" }, 8).settings;
  const typed = asDrawnBy(way, mine);
  assert.deepEqual(typed, { ...typedFrom(way), prompt: "two moons", seed: "12", previews: "" });
  assert.deepEqual([typed.generator, typed.tau, typed.accept], ["dpo-parm", "1.8", "if-doubted"]);
});

test("each setting out of range is named and none is corrected", () => {
  for (const [id, text] of [["steps", "0"], ["steps", "2.5"], ["steps", ""], ["guidance", "x"], ["candidates", "17"], ["seed", "-1"], ["seed", "1e300"]]) {
    const { problem } = checked({ ...DEFAULTS, [id]: text }, 8);
    assert.equal(problem?.field, id, `${id} = ${text}`);
  }
  assert.equal(checked({ ...DEFAULTS, prompt: "  " }, 8).problem.code, "empty_prompt");
  assert.equal(checked({ ...DEFAULTS, reflection: "1", "patch-grid": "9" }, 8).problem.field, "patch-grid");
  assert.ok(checked({ ...DEFAULTS, "patch-grid": "9" }, 8).settings, "unused settings are not in the way");
});

test("a step's tokens are fixed, new or masked again", () => {
  const drawing = fold(started(), step(0));
  assert.deepEqual(statesAt(drawing.moments[0], null, 2), ["fixed", "masked", "new", "masked"]);
  assert.deepEqual(statesAt(drawing.moments[0], 0, 2), ["fixed", "new", "masked", "masked"]);
  assert.equal(focusOf(drawing.moments[0], null), 1);
});

test("a small preview that is looked at is asked for large, and nothing else is", () => {
  const drawing = fold(started(), step(0), { type: "image", path: 0, tokens: [1, 2, 3, 4], picture: { ...PICTURE, width_px: 8 }, score: null });
  const state = { ...INITIAL_STATE, engine: "ready", model: { image_side_px: 8, bundle: "b" }, drawing, selected: 0 };
  const { tries } = drawing.moments[0];
  assert.deepEqual(toEnlarge(state), { of: tries[1].picture, codes: [1, 2, 3, 4] });
  assert.equal(toEnlarge({ ...state, focused: 0 }).of, tries[0].picture);
  assert.equal(toEnlarge({ ...state, selected: null }), null, "a drawing that is followed");
  assert.equal(toEnlarge({ ...state, selected: 1 }), null, "a picture of full size");
  assert.equal(toEnlarge({ ...state, model: { image_side_px: 4, bundle: "b" } }), null, "a bundle whose previews are of full size");
  assert.equal(toEnlarge({ ...state, model: { image_side_px: 8, bundle: "other" } }), null, "a trace of another bundle");
  assert.equal(toEnlarge({ ...state, engine: "loading" }), null);
});

test("whole-picture modes stand side by side, and the path is marked when it is chosen", () => {
  const path = (number, at) => step(at, { path: number, candidates: [candidate([1, 2, 3, 4])], chosen: 0 });
  const image = (number, score) => ({ type: "image", path: number, tokens: [1, 2, 3, 4], picture: PICTURE, score });
  const events = [started("best-of-k"), path(0, 0), path(0, 1), image(0, 0.2), path(1, 0), path(1, 1), image(1, 0.6)];
  const before = fold(...events);
  assert.deepEqual(before.moments.map((moment) => moment.kind), ["step", "step", "image"]);
  assert.equal(before.moments[0].tries.length, 2);
  assert.ok(before.moments.every((moment) => moment.tries.every((attempt) => !attempt.chosen)));
  assert.equal(momentIndex({ ...INITIAL_STATE, drawing: fold(...events.slice(0, 5)) }), 0, "the view follows the path being drawn");
  const after = withEvent(before, { type: "path_chosen", path: 1 });
  assert.deepEqual(after.moments[2].tries.map((attempt) => attempt.chosen), [false, true]);
});

test("a path that is given up leaves its steps, and one that is taken up again goes on among them", () => {
  const path = (number, at, score) => step(at, { path: number, candidates: [candidate([1, 2, -1, -1], score)], chosen: 0 });
  const events = [started("parm-paths"), path(0, 0, 0.4), path(1, 0, 0.2), path(0, 1, 0.45),
    { type: "image", path: 0, tokens: [1, 2, 3, 4], picture: PICTURE, score: 0.45 }, { type: "path_chosen", path: 0 }];
  const drawing = fold(...events);
  assert.deepEqual(drawing.moments.map((moment) => moment.kind), ["step", "step", "image"]);
  assert.deepEqual(drawing.moments[0].tries.map((attempt) => attempt.chosen), [true, false]);
  assert.deepEqual(drawing.moments[1].tries.map((attempt) => attempt.path), [0]);
});

test("a round of reflection renews the tokens under its weak patches", () => {
  const round = { type: "reflection", round: 1, patch_grid: 2, patch_scores: [0, 1, 1, 1], weak: [true, false, false, false],
    before: PICTURE, after: PICTURE, tokens_after: [], score_before: null, score_after: null, kept: true, distance: 0.1 };
  const drawing = fold(started(), step(0), step(1), round);
  assert.deepEqual(statesAt(drawing.moments[2], null, 4).map((state) => state[0]).join(""), "nnffnnffffffffff");
});

test("a stopped drawing goes on without a seam in its trace", () => {
  let state = { ...INITIAL_STATE, engine: "ready", run: "drawing" };
  for (const event of [started(), step(0), { type: "cancelled", next_step: 1 }]) state = received(state, { type: "event", event });
  assert.equal(state.resumable, 1);
  state = drawingResumed(state);
  for (const event of [started(), step(1)]) state = received(state, { type: "event", event });
  assert.deepEqual(state.drawing.events.map((event) => event.type), ["started", "step", "step"]);
});

test("drawing waits for its verifier and never for one the bundle lacks", () => {
  const model = { verifiers: ["none"], offered: ["none", "parm", "prm"], generators: ["base", "dpo"] };
  let state = received(INITIAL_STATE, { type: "ready", device: { kind: "cpu", words: "" }, model });
  assert.equal(readiness(state, SETTINGS), "later");
  assert.equal(readiness(state, { ...SETTINGS, verifier: "none" }), "now");
  assert.equal(readiness(state, { ...SETTINGS, verifier: "none", generator: "dpo" }), "now", "its weights are fetched when it draws");
  assert.equal(readiness(state, { ...SETTINGS, verifier: "none", generator: "dpo-parm" }), "never");
  assert.equal(readiness(state, { ...SETTINGS, verifier: "orm" }), "never");
  state = received(state, { type: "verifier_ready", verifiers: ["none", "prm"], problem: { code: "bundle_unreadable", message: "parm" } });
  assert.equal(readiness(state, SETTINGS), "later", "the bundle has it; it can be asked for again");
  assert.equal(state.missing?.message, "parm");
  const reflecting = { ...SETTINGS, verifier: "prm", reflection: { threshold: 1, epsilon: 0, rounds: 1, patch_grid: 4, accept: "every" } };
  assert.equal(readiness(state, reflecting), "never", "CLIP scores the patches, and this bundle has none");
});

test("an error during loading is a failed load; during a drawing the engine stays", () => {
  const error = { type: "error", error: { code: "x", message: "y" } };
  assert.equal(received({ ...INITIAL_STATE, engine: "loading" }, error).engine, "failed");
  assert.equal(received({ ...INITIAL_STATE, engine: "ready", run: "drawing" }, error).engine, "ready");
  const lost = received({ ...INITIAL_STATE, run: "drawing" }, { type: "device_lost", next_step: 4 });
  assert.equal(lost.resumable, 4);
  assert.equal(lost.run, "drawing", "a drawing is over when it is done, whatever went wrong meanwhile");
  assert.equal(received(lost, { type: "done" }).run, "idle");
});

test("after a fault an engine that was ready starts again, one that was not waits to be asked; the drawing stays and can be gone on with", () => {
  const drawing = fold(started(), step(0));
  const drawn = { ...INITIAL_STATE, engine: "ready", run: "drawing", verifiers: ["none"], verifiersSettled: true, drawing };
  const ready = stopped(drawn, "unreachable", false);
  assert.deepEqual([ready.engine, ready.run, ready.resumable, ready.verifiersSettled], ["loading", "idle", 1, false]);
  assert.match(ready.problem.message, /unreachable/);
  assert.equal(ready.drawing, drawing);
  assert.equal(readiness(ready, SETTINGS), "later");
  assert.equal(stopped({ ...drawn, opened: true }, "unreachable", false).resumable, null, "a trace from a file is not this engine’s drawing");
  assert.equal(stopped({ ...INITIAL_STATE, engine: "loading" }, "unreachable", false).engine, "failed");
});

test("after a graphics device failed the processor takes over, and whoever waits goes on waiting", () => {
  const opening = { ...INITIAL_STATE, engine: "loading", waiting: SETTINGS };
  const next = stopped(opening, "unreachable", true);
  assert.deepEqual([next.engine, next.waiting, next.problem.code], ["loading", SETTINGS, "engine_restarted"]);
  assert.match(next.problem.message, /graphics device failed \(unreachable\), and the processor takes over/);
});

test("a trace file is read back, and a damaged one is refused with the place", () => {
  const events = [started(), step(0, { known_before: [true, false, false, false] })];
  assert.deepEqual(fromFile(JSON.stringify(events)), events);
  const refused = (change, pattern) => {
    const copy = structuredClone(events);
    change(copy);
    assert.throws(() => fromFile(JSON.stringify(copy)), pattern);
  };
  assert.throws(() => fromFile("{"), /not JSON/);
  assert.throws(() => fromFile("{}"), /no list of events/);
  refused((copy) => copy.shift(), /first event/);
  assert.doesNotThrow(() => fromFile(JSON.stringify([{ ...events[0], version: TRACE_VERSION }])));
  refused((copy) => (copy[0].version = TRACE_VERSION + 1), new RegExp(`version ${TRACE_VERSION + 1}`));
  refused((copy) => (copy[1].candidates[0].preview.png_base64 = '" onerror="x'), /Event 2.*candidates/);
  refused((copy) => copy[1].known_before.pop(), /known_before/);
  refused((copy) => (copy[1].chosen = 2), /chosen/);
  refused((copy) => (copy[0].settings.steps = null), /settings/);
  refused((copy) => (copy[1].type = "surprise"), /surprise/);
  refused((copy) => (copy[0].notes = [7]), /Event 1.*notes/);
  refused((copy) => (copy[0].settings.verifier = "toString"), /Event 1.*no verifier “toString”/);
  refused((copy) => (copy[0].settings.generator = "constructor"), /Event 1.*no generator “constructor”/);
  refused((copy) => (copy[0].image_side_px = 1e9), /Event 1.*image_side_px/);
  refused((copy) => (copy[0].device = { toString: 1 }), /Event 1.*device/);
  refused((copy) => (copy[1].path = {}), /Event 2.*path/);
  refused((copy) => copy.push({ type: "reflection_ended", reason: "converged", patch_scores: [], rounds: "x".repeat(3000) }), /Event 3.*rounds/);
  refused((copy) => copy.push(...Array(6000).fill(copy[1])), /6002 events/);
  refused((copy) => (copy[1].type = "x".repeat(3000)), /^Error: .{0,200}$/);
  const finished = { type: "finished", tokens: [1, 2, 3, 4], picture: PICTURE, verdict: { accepted: true, exact: false, sentence: "a dog" },
    totals: { generator_forwards: 1, reward_forwards: 0, decoded_pictures: 1, seconds: 1 } };
  assert.equal(fromFile(JSON.stringify([...events, finished])).length, 3);
  refused((copy) => copy.push({ ...finished, verdict: { accepted: "yes", sentence: "a dog" } }), /Event 3.*verdict/);
  refused((copy) => copy.push({ ...finished, verdict: null, unchecked: { toString: 1 } }), /Event 3.*verdict/);
});

test("a model has words of its own on the page before it has arrived, and a stranger's has none", () => {
  assert.equal(fromHash("", worldOf("icons").typed).prompt, "a purple dog and a black dining table");
  assert.equal(fromHash("#prompt=a+dog", worldOf("icons").typed).prompt, "a dog");
  assert.deepEqual(fromHash("", worldOf("scenes").typed), DEFAULTS);
  assert.deepEqual(worldOf("constructor").examples, []);
});

test("sentences", () => {
  assert.equal(sentence("“sofa” is read as “couch”"), "“sofa” is read as “couch”.");
  assert.equal(verdictWords({ accepted: true, sentence: "" }), "as asked.");
  assert.equal(verdictWords({ accepted: true, exact: false, sentence: "" }), "as asked by GenEval’s rules, not exactly so.");
  assert.equal(verdictWords({ accepted: true, exact: true, sentence: "" }), "as asked by GenEval’s rules, and exactly so.");
  assert.equal(verdictWords({ accepted: false, exact: false, sentence: "" }), "not as asked by GenEval’s rules.");
  assert.equal(sentence("steps is 99"), "Steps is 99.");
  assert.equal(sentence("parm-1.safetensors is damaged."), "parm-1.safetensors is damaged.");
  assert.match(reflectionEndWords("nothing_weak", 0, { threshold: Math.fround(0.2), epsilon: 0.01 }), /no patch scores below τ = 0.2\.$/);
  assert.match(reflectionEndWords("satisfied", 1, null), /ended after 1 round: the verifier/);
});
