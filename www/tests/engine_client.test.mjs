// The engine client with a worker that only writes down what it is told.
import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import { engineClient } from "../app/engine_client.js";
import { checked, DEFAULTS } from "../app/settings.js";
import { ASK_OVER_BYTES, atAddress, inFolder, shipped } from "../app/sources.js";
import { INITIAL_STATE } from "../app/state.js";

const PICTURE = { width_px: 4, height_px: 4, png_base64: "iVBORw0KGgo=" };
const SETTINGS = { ...checked(DEFAULTS, 8).settings, verifier: "none" };
const READY = { type: "ready", device: { kind: "cpu", words: "CPU" }, model: { verifiers: ["none"], offered: ["none", "parm", "prm"], generators: ["base"], grid: 2, image_side_px: 8, bundle: "b" } };
const LOAD = { type: "load", bundle: "models/b/", wish: { device: "cpu" }, most_bytes: ASK_OVER_BYTES, keep: true };
const ALL_HERE = { type: "verifier_ready", verifiers: ["none", "parm"], problem: null };
const WEBGPU = { kind: "webgpu", words: "WebGPU: a card", why: null, patience_seconds: 12, measured: null };
const STEP = {
  type: "step", path: 0, step: 0, steps: 2, known_before: [false, false, false, false],
  candidates: [{ tokens: [1, -1, -1, -1], sampled: [1, 2, 3, 4], score: null, preview: PICTURE }], chosen: 0, masked_after: 3, milliseconds: 1,
};

class FakeWorker extends EventTarget {
  /** @type {FakeWorker[]} */
  static all = [];
  /** @type {any[]} */
  told = [];
  ended = false;
  /** @param {URL} address */
  constructor(address) {
    super();
    assert.match(address.pathname, /\/www\/worker\.js$/);
    FakeWorker.all.push(this);
  }
  /** @param {any} message */
  postMessage(message) {
    this.told.push(message);
  }
  terminate() {
    this.ended = true;
  }
  /** @param {any[]} replies */
  says(...replies) {
    for (const data of replies) this.dispatchEvent(Object.assign(new Event("message"), { data }));
  }
  /** What it was told, by type. */
  get types() {
    return this.told.map((message) => message.type);
  }
}

/** A page with nothing but its state. @param {"auto" | "cpu" | "webgpu"} [device] */
function page(device = "cpu") {
  const page = {
    state: INITIAL_STATE,
    allHere: 0,
    engine: /** @type {ReturnType<typeof engineClient>} */ (/** @type {unknown} */ (null)),
  };
  page.engine = engineClient({
    source: shipped("b"), wish: { device }, now: () => page.state, change: (next) => (page.state = next), onAllHere: () => (page.allHere += 1),
  });
  return page;
}

beforeEach(() => {
  FakeWorker.all = [];
  globalThis.Worker = /** @type {any} */ (FakeWorker);
});

test("no worker is started before something is asked of it", () => {
  const { engine } = page();
  engine.enlarge();
  engine.stop();
  assert.equal(FakeWorker.all.length, 0);
});

test("a drawing that is asked for first of all loads, waits, and begins by itself", () => {
  const visit = page();
  visit.engine.draw(SETTINGS);
  const [worker] = FakeWorker.all;
  assert.deepEqual(worker.told, [LOAD]);
  assert.equal(visit.state.waiting, SETTINGS);
  worker.says(READY);
  assert.deepEqual(worker.told[1], { type: "draw", settings: SETTINGS });
  assert.equal(visit.state.run, "drawing");
  assert.equal(visit.state.waiting, null);
  assert.equal(visit.allHere, 0);
  worker.says({ type: "done" }, ALL_HERE);
  assert.deepEqual([visit.state.run, visit.allHere], ["idle", 1]);
});

test("what is painted is asked for once the model is here, if it is the picture's own; a drawing after it is one from nothing", () => {
  const from = { codes: [5, 6, 7, 8], hole: [false, true, false, false] };
  const finished = { started: { bundle: "b" }, events: [], moments: [], latest: -1, finished: { tokens: from.codes } };
  for (const bundle of ["b", "another"]) {
    FakeWorker.all = [];
    const visit = page();
    visit.state = { ...visit.state, opened: true, hole: from.hole, drawing: /** @type {any} */ ({ ...finished, started: { bundle } }) };
    visit.engine.draw(SETTINGS, from);
    const [worker] = FakeWorker.all;
    worker.says(READY);
    if (bundle === "another") {
      assert.deepEqual(worker.types, ["load"]);
      assert.match(visit.state.problem?.message ?? "", /drawn with “another”/);
      assert.deepEqual([visit.state.waiting, visit.state.hole], [null, from.hole]);
      continue;
    }
    assert.deepEqual(worker.told[1], { type: "paint", settings: SETTINGS, ...from });
    assert.deepEqual([visit.state.run, visit.state.before.length, visit.state.hole], ["drawing", 1, null]);
    worker.says({ type: "event", event: { type: "started", bundle: "b", settings: SETTINGS } }, { type: "done" });
    visit.engine.draw(SETTINGS);
    assert.deepEqual(worker.told.at(-1), { type: "draw", settings: SETTINGS });
    assert.equal(visit.state.before.length, 0);
  }
});

test("stop takes back what waits, stops what is drawn, and says so once", () => {
  const visit = page();
  visit.engine.draw(SETTINGS);
  visit.engine.stop();
  assert.equal(visit.state.waiting, null);
  const [worker] = FakeWorker.all;
  worker.says(READY);
  assert.deepEqual(worker.types, ["load"]);
  visit.engine.draw(SETTINGS);
  visit.engine.stop();
  visit.engine.stop();
  assert.deepEqual(worker.types, ["load", "draw", "stop"]);
  assert.equal(visit.state.run, "stopping");
  worker.says({ type: "event", event: { type: "cancelled", next_step: 1 } }, { type: "done" });
  assert.equal(visit.state.resumable, 1);
  visit.engine.resume();
  assert.deepEqual([worker.types.at(-1), visit.state.run, visit.state.resumed], ["resume", "drawing", true]);
});

test("what the bundle lacks is named, by its field", () => {
  const visit = page();
  visit.engine.draw({ ...SETTINGS, verifier: "orm" });
  const [worker] = FakeWorker.all;
  worker.says(READY);
  assert.deepEqual([visit.state.problem?.code, visit.state.problem?.field, visit.state.waiting], ["verifier_missing", "verifier", null]);
  visit.engine.draw({ ...SETTINGS, generator: "dpo" });
  assert.equal(visit.state.problem?.code, "generator_missing");
  const reflection = { threshold: 1, epsilon: 0, rounds: 1, patch_grid: 4, accept: /** @type {const} */ ("every") };
  visit.engine.draw({ ...SETTINGS, reflection });
  assert.deepEqual([visit.state.problem?.field, visit.state.problem?.remedy], ["reflection", "Switch reflection off."]);
  assert.deepEqual(worker.types, ["load"]);
});

test("after a fault a ready engine starts again in another worker, and the old one is not heard any more", () => {
  const visit = page();
  visit.engine.load();
  const [old] = FakeWorker.all;
  old.says(READY, ALL_HERE, { type: "fault", message: "unreachable" });
  assert.equal(old.ended, true);
  assert.deepEqual([visit.state.engine, visit.state.problem?.code], ["loading", "engine_restarted"]);
  const [, fresh] = FakeWorker.all;
  assert.deepEqual(fresh.types, ["load"]);
  old.says(READY);
  assert.equal(visit.state.engine, "loading");
  fresh.says(READY);
  assert.equal(visit.state.engine, "ready");
});

test("an engine that never was ready is tried again only when asked", () => {
  const visit = page();
  visit.engine.load();
  FakeWorker.all[0].dispatchEvent(new Event("error", { cancelable: true }));
  assert.deepEqual([visit.state.engine, visit.state.problem?.code, FakeWorker.all.length], ["failed", "engine_fault", 1]);
  assert.match(visit.state.problem?.message ?? "", /could not be started/);
  visit.engine.load();
  assert.deepEqual([visit.state.engine, visit.state.problem, FakeWorker.all.length], ["loading", null, 2]);
});

test("a worker that may not be started is said so, and what waited for it waits no more", () => {
  globalThis.Worker = /** @type {any} */ (class {
    constructor() {
      throw new DOMException("Script at “https://x/” cannot be accessed from origin 'null'.", "SecurityError");
    }
  });
  const visit = page();
  visit.engine.draw(SETTINGS);
  const { engine, waiting, run, problem } = visit.state;
  assert.deepEqual([engine, waiting, run, problem?.code], ["failed", null, "idle", "not_started"]);
  assert.match(`${problem?.message} ${problem?.remedy}`, /origin 'null'.*allow-same-origin/s);
  visit.engine.selfTest();
  assert.equal(visit.state.problem?.code, "not_started");
  globalThis.Worker = /** @type {any} */ (FakeWorker);
  visit.engine.load();
  assert.deepEqual(FakeWorker.all[0].types, ["load"], "it is tried again when asked");
});

test("a preview that is looked at is asked for large once, and an answer to an older question is dropped", () => {
  const visit = page();
  visit.engine.load();
  const [worker] = FakeWorker.all;
  const started = { type: "started", version: 1, settings: SETTINGS, prompt_ids: [1], grid: 2, image_side_px: 8, device: "d", bundle: "b" };
  worker.says(READY, { type: "event", event: started }, { type: "event", event: STEP });
  visit.state = { ...visit.state, selected: 0 };
  visit.engine.enlarge();
  visit.engine.enlarge();
  const asked = worker.told.filter(({ type }) => type === "picture");
  assert.deepEqual(asked, [{ type: "picture", id: 1, codes: [1, 2, 3, 4] }]);
  worker.says({ type: "picture", id: 0, picture: PICTURE });
  assert.equal(visit.state.large, null);
  worker.says({ type: "picture", id: 1, picture: PICTURE });
  assert.equal(visit.state.large?.of, PICTURE);
});

test("the self test needs nothing loaded", () => {
  const visit = page();
  visit.engine.selfTest();
  assert.deepEqual(FakeWorker.all[0].types, ["self_test"]);
  FakeWorker.all[0].says({ type: "self_test", rows: [{ name: "x" }] });
  assert.deepEqual(visit.state.selfTest, [{ name: "x" }]);
});

test("a verifier that did not come is asked for again by the button, and by the drawing that needs it", () => {
  const visit = page();
  visit.engine.load();
  const [worker] = FakeWorker.all;
  const problem = { code: "bundle_damaged", message: "parm is damaged" };
  worker.says(READY, { type: "verifier_ready", verifiers: ["none"], problem });
  assert.equal(visit.state.missing, problem);
  assert.equal(visit.allHere, 0);
  visit.engine.load();
  assert.deepEqual([worker.types.at(-1), visit.state.missing], ["load_verifiers", null]);
  worker.says({ type: "verifier_ready", verifiers: ["none"], problem });
  visit.engine.draw({ ...SETTINGS, verifier: "parm" });
  assert.deepEqual(worker.types, ["load", "load_verifiers", "load_verifiers"]);
  worker.says(ALL_HERE);
  assert.deepEqual([worker.types.at(-1), visit.state.missing, visit.allHere], ["draw", null, 1]);
});

test("whoever waits for a verifier that does not come is told, and is not kept waiting", () => {
  const visit = page();
  visit.engine.draw({ ...SETTINGS, verifier: "parm" });
  const [worker] = FakeWorker.all;
  worker.says(READY, { type: "verifier_ready", verifiers: ["none", "prm"], problem: { code: "bundle_damaged", message: "parm is damaged" } });
  assert.deepEqual([visit.state.waiting, visit.state.missing?.message], [null, "parm is damaged"]);
  visit.engine.draw({ ...SETTINGS, verifier: "prm" });
  assert.equal(worker.types.at(-1), "draw", "what did come draws");
});

test("what passes by itself is tried again by itself, and what does not is not", (context) => {
  context.mock.timers.enable({ apis: ["setTimeout"] });
  const visit = page();
  visit.engine.load();
  const [worker] = FakeWorker.all;
  worker.says({ type: "error", error: { code: "bundle_unreadable", message: "no connection" } });
  assert.equal(visit.state.engine, "failed");
  context.mock.timers.tick(5000);
  assert.deepEqual([worker.types, visit.state.engine, visit.state.problem?.message], [["load", "load"], "loading", "no connection"]);
  worker.says({ type: "error", error: { code: "bundle_unreadable", message: "no connection" } });
  context.mock.timers.tick(5000);
  assert.equal(worker.types.length, 2, "the second pause is longer");
  context.mock.timers.tick(5000);
  worker.says(READY, { type: "verifier_ready", verifiers: ["none"], problem: { code: "bundle_unreadable", message: "parm" } });
  assert.equal(visit.state.problem, null, "what is over is not said any more");
  context.mock.timers.tick(20_000);
  assert.equal(worker.types.at(-1), "load_verifiers");
  worker.says({ type: "verifier_ready", verifiers: ["none"], problem: { code: "bundle_damaged", message: "parm" } });
  context.mock.timers.tick(600_000);
  assert.deepEqual(worker.types, ["load", "load", "load", "load_verifiers"]);
});

test("a fault on a graphics device is followed by the processor, which is told why, and never by the same device", () => {
  for (const before of [[{ type: "progress", phase: "compile", bytes_done: 0, bytes_total: 0, source: "network" }], [{ type: "device", device: WEBGPU }]]) {
    FakeWorker.all = [];
    const visit = page("auto");
    visit.engine.draw(SETTINGS);
    const [old] = FakeWorker.all;
    old.says(...before, { type: "fault", message: "createBuffer is not a function" });
    const [, fresh] = FakeWorker.all;
    assert.deepEqual(fresh.told, [{
      ...LOAD, wish: { device: "cpu", why: "the graphics device failed (createBuffer is not a function)" },
    }]);
    assert.equal(visit.state.waiting, SETTINGS, "the drawing that waits is still waited for");
    fresh.says({ type: "fault", message: "unreachable" });
    assert.deepEqual([visit.state.engine, FakeWorker.all.length], ["failed", 2], "a fault on the processor is not repeated by itself");
  }
});

test("a graphics device that hangs the worker is given up, and its drawing can be gone on with elsewhere", (context) => {
  context.mock.timers.enable({ apis: ["setInterval", "setTimeout"] });
  const visit = page("webgpu");
  visit.engine.draw(SETTINGS);
  const [old] = FakeWorker.all;
  old.says({ ...READY, device: WEBGPU }, ALL_HERE);
  const started = { type: "started", version: 1, settings: SETTINGS, prompt_ids: [1], grid: 2, image_side_px: 8, device: "d", bundle: "b" };
  old.says({ type: "event", event: started }, { type: "event", event: STEP });
  for (let second = 0; second < 60; second += 1) context.mock.timers.tick(1000);
  assert.equal(old.ended, false, "a device may take as long as it was given");
  for (let second = 0; second < 20; second += 1) context.mock.timers.tick(1000);
  assert.equal(old.ended, true);
  assert.deepEqual([visit.state.resumable, visit.state.problem?.code], [1, "engine_restarted"]);
  const [, fresh] = FakeWorker.all;
  assert.equal(fresh.told[0].wish.device, "cpu");
  fresh.says({ ...READY }, ALL_HERE);
  visit.engine.resume();
  const { type, recording } = fresh.told.at(-1);
  assert.equal(type, "resume");
  assert.deepEqual(JSON.parse(recording).map((/** @type {any} */ event) => event.type), ["started", "step"]);
  fresh.says({ type: "event", event: { type: "cancelled", next_step: 1 } }, { type: "done" });
  visit.engine.resume();
  assert.deepEqual(fresh.told.at(-1), { type: "resume" }, "this worker knows it now");
});

test("a processor that computes for long is not taken for one that hangs", (context) => {
  context.mock.timers.enable({ apis: ["setInterval", "setTimeout"] });
  const visit = page("cpu");
  visit.engine.draw(SETTINGS);
  const [worker] = FakeWorker.all;
  worker.says({ ...READY, device: { ...WEBGPU, kind: "cpu", patience_seconds: null } }, ALL_HERE);
  for (let second = 0; second < 1000; second += 1) context.mock.timers.tick(1000);
  assert.deepEqual([worker.ended, visit.state.run], [false, "drawing"]);
});

const CARD = { kind: "cpu", words: "CPU" };
const FACTS = { name: "large", bytes: 2e9, shards: [] };

test("a large model is asked about, is loaded once somebody says so, and a drawing that waits for it begins then", () => {
  const visit = page();
  visit.engine.draw(SETTINGS);
  const [worker] = FakeWorker.all;
  worker.says({ type: "opened", device: CARD, facts: FACTS }, { type: "asks" });
  assert.deepEqual([visit.state.engine, visit.state.facts, visit.state.asked], ["asking", FACTS, true]);
  assert.equal(visit.state.waiting, SETTINGS);
  visit.engine.consent(false);
  assert.deepEqual(worker.told.at(-1), { ...LOAD, most_bytes: Infinity, keep: false });
  assert.equal(visit.state.engine, "loading");
  worker.says(READY);
  assert.equal(worker.types.at(-1), "draw");
});

test("after a fault what was said yes to is not asked again", () => {
  const visit = page("webgpu");
  visit.engine.load();
  FakeWorker.all[0].says({ type: "opened", device: WEBGPU, facts: FACTS }, { type: "asks" });
  visit.engine.consent(true);
  FakeWorker.all[0].says({ type: "device", device: WEBGPU }, { type: "fault", message: "it broke" });
  const [, second] = FakeWorker.all;
  assert.deepEqual([second.told[0].most_bytes, second.told[0].wish.device], [Infinity, "cpu"]);
});

test("a download rests and goes on", () => {
  const visit = page();
  visit.engine.pause(true);
  assert.equal(FakeWorker.all.length, 0, "nothing runs that could rest");
  visit.engine.load();
  const [worker] = FakeWorker.all;
  visit.engine.pause(true);
  assert.deepEqual([worker.types.at(-1), visit.state.paused], ["pause", true]);
  visit.engine.pause(false);
  assert.deepEqual([worker.types.at(-1), visit.state.paused], ["go_on", false]);
  visit.engine.pause(true);
  worker.says({ type: "fault", message: "it broke" });
  assert.equal(visit.state.paused, false);
});

test("another model ends the worker of the one before, and nothing of that stays but what the menu offers", () => {
  const visit = page();
  visit.engine.load();
  FakeWorker.all[0].says(READY, ALL_HERE);
  const offered = [{ kind: "shipped", id: "b", name: "b", bytes: null, kept: false }];
  visit.state = { ...visit.state, offered, problem: { code: "x", message: "x" } };
  const folder = inFolder("mine", [["manifest.json", new Blob(["{}"])]]);
  visit.engine.use(folder, { device: "webgpu" });
  assert.ok(FakeWorker.all[0].ended);
  assert.deepEqual(visit.state, { ...INITIAL_STATE, source: folder, offered });
  FakeWorker.all[0].says(READY);
  assert.equal(visit.state.engine, "idle", "the worker before is not heard any more");
  visit.engine.load();
  const { bundle, files, wish } = FakeWorker.all[1].told[0];
  assert.deepEqual([bundle, files, wish.device], ["folder:mine/", folder.files, "webgpu"]);
});

test("nothing of another site is loaded unasked, whatever its size", () => {
  const here = /** @type {any} */ (globalThis);
  here.location = new URL("https://example.org/page/");
  try {
    const visit = page();
    for (const [address, most] of [["https://example.org/bundle/", ASK_OVER_BYTES], ["https://elsewhere.org/bundle/", 0]]) {
      visit.engine.use(atAddress(address), { device: "cpu" });
      visit.engine.load();
      assert.equal(FakeWorker.all.at(-1).told[0].most_bytes, most, address);
    }
  } finally {
    delete here.location;
  }
});
