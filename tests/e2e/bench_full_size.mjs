// `cargo xtask bench full-size`: a bundle streams into the page's worker, one guided forward is computed there, then a whole step
// with two candidates' previews, a question to the generator itself and a CLIPScore; logits and scores are compared with the
// native ones.
//
// node bench_full_size.mjs BUNDLE PROMPT NATIVE_LOGITS NATIVE_ROUND

import { readFile } from "node:fs/promises";
import { join } from "node:path";

import { launch } from "./browser.mjs";
import { serve } from "./server.mjs";
import { DIST } from "./places.mjs";

/** The engine's memory at its highest: 192 MB. */
const MOST_HEAP_BYTES = 192e6;
/** ‖browser − native‖₂ / ‖native‖₂ over all logits. */
const FARTHEST = 2e-2;
/** Between two words about the progress. */
const PAUSE_MS = 15_000;

/** A judge's score, browser against native: a chance, or a CLIPScore. */
const FARTHEST_SCORE = 1e-2;
/** What all candidates' previews may cost of the step that they are shown in. */
const MOST_PREVIEWS = 0.02;
/** Layers of the real Show-o. */
const FULL_LAYERS = 24;

const [bundle, prompt, native_file, native_round_file] = process.argv.slice(2);
const native = floats(await readFile(native_file));
const native_round = JSON.parse(await readFile(native_round_file, "utf8"));
const site = await serve(DIST, bundle);
// A product of full size keeps a software device busy for longer than the browser's patience with a graphics process.
const browser = await launch("webgpu", ["--disable-gpu-watchdog"]);
try {
  const page = await browser.newPage();
  page.on("pageerror", (error) => console.error(`page: ${error.message}`));
  page.on("console", (message) => message.type() === "error" && console.error(`page: ${message.text()}`));
  // The small layout loads nothing by itself.
  await page.goto(`${site.address}?embed`);

  await page.evaluate(() => {
    const worker = new Worker("worker.js", { type: "module" });
    /** @type {any} */
    const bench = { worker, progress: null, ready: null, waiting: null };
    /** @type {any} */ (window).bench = bench;
    worker.addEventListener("message", ({ data }) => {
      if (data.type === "progress") bench.progress = data;
      if (data.type === "ready") bench.ready = data;
      if (data.type === "error" || data.type === "fault") bench.waiting?.reject(new Error(data.error?.message ?? data.message));
      if (data.type === bench.waiting?.type) bench.waiting.resolve(data);
    });
    worker.addEventListener("error", (event) => bench.waiting?.reject(new Error(event.message)));
    bench.ask = (/** @type {any} */ request, /** @type {string} */ type) => new Promise((resolve, reject) => {
      bench.waiting = { type, resolve, reject };
      worker.postMessage(request);
    });
  });
  const worker = page.workers()[0] ?? (await page.waitForEvent("worker"));
  // What the device has been given, and what it has done of that.
  await worker.evaluate(() => {
    const scope = /** @type {any} */ (self);
    scope.submitted = { given: 0, done: 0 };
    const { prototype } = scope.GPUQueue;
    const submit = prototype.submit;
    prototype.submit = function (/** @type {any} */ buffers) {
      submit.call(this, buffers);
      scope.submitted.given += 1;
      this.onSubmittedWorkDone().then(() => { scope.submitted.done += 1; });
    };
  });

  // A device that is the processor in disguise takes minutes for what a page waits ten seconds for.
  await worker.evaluate(() => {
    const wait = self.setTimeout;
    /** @type {any} */ (self).setTimeout = (/** @type {() => void} */ then, /** @type {number} */ milliseconds) => wait(then, 60 * milliseconds);
  });

  const loading = say(async () => {
    const progress = await page.evaluate(() => /** @type {any} */ (window).bench.progress);
    if (!progress) return "starting";
    return `${progress.phase}: ${megabytes(progress.bytes_done)} of ${megabytes(progress.bytes_total)} from the ${progress.source}`;
  });
  const begin = performance.now();
  const ready = await page.evaluate(async () => {
    const { bench } = /** @type {any} */ (window);
    // The last word of loading: the judges are there, too.
    await bench.ask({ type: "load", bundle: "bundle/", wish: { device: "webgpu" } }, "verifier_ready");
    return bench.ready;
  });
  const load_seconds = (performance.now() - begin) / 1000;
  loading();
  console.log(`${ready.device.words}: loaded in ${load_seconds.toFixed(1)} s`);
  if (ready.device.kind !== "webgpu") throw new Error(`no graphics device: ${ready.device.why}`);

  const computing = say(async () => {
    const { given, done } = await worker.evaluate(() => /** @type {any} */ (self).submitted);
    return `forward: ${done} of ${given} submissions`;
  });
  const before = performance.now();
  const logits = await page.evaluate(async (prompt) => {
    const { logits } = await /** @type {any} */ (window).bench.ask({ type: "probe", prompt }, "probe");
    const reader = new FileReader();
    const read = new Promise((resolve) => reader.addEventListener("load", resolve));
    reader.readAsDataURL(new Blob([logits]));
    await read;
    return /** @type {string} */ (reader.result).split(",")[1];
  }, prompt);
  const forward_seconds = (performance.now() - before) / 1000;
  computing();

  const judging = say(async () => {
    const { given, done } = await worker.evaluate(() => /** @type {any} */ (self).submitted);
    return `step, previews and judges: ${done} of ${given} submissions`;
  });
  const { round, memory } = await page.evaluate(
    (prompt) => /** @type {any} */ (window).bench.ask({ type: "round", prompt }, "round"), prompt);
  judging();

  const { distance, largest } = compare(floats(Buffer.from(logits, "base64")), native);
  /** @type {[string, string, string, boolean][]} */
  const scores = native_round.judges.map((/** @type {any} */ wanted) => {
    const score = round.judges.find((/** @type {any} */ judged) => judged.verifier === wanted.verifier)?.score ?? NaN;
    const off = Math.abs(score - wanted.score);
    return [`${wanted.verifier}: ${score.toFixed(4)}, from native`, off.toExponential(2), FARTHEST_SCORE.toExponential(0), off <= FARTHEST_SCORE];
  });
  // Of two layers a step is too little to say anything about.
  const { num_hidden_layers } = JSON.parse(await readFile(join(bundle, "manifest.json"), "utf8")).models.showo.config;
  const most_previews = num_hidden_layers < FULL_LAYERS ? 1 : MOST_PREVIEWS;
  const previews = round.previews_seconds / round.step_seconds;
  const goals = [
    ["peak of the engine’s memory", megabytes(memory.heap_bytes), megabytes(MOST_HEAP_BYTES), memory.heap_bytes <= MOST_HEAP_BYTES],
    ["logits’ relative distance from native", distance.toExponential(2), FARTHEST.toExponential(0), distance <= FARTHEST],
    ["previews’ part of a step", `${(previews * 100).toFixed(2)} %`, `${most_previews * 100} %`, previews <= most_previews],
    ...scores,
  ];
  console.table([
    { what: "bundle", value: megabytes(ready.model.shards_bytes) },
    { what: "load", value: `${load_seconds.toFixed(1)} s` },
    { what: "weights on the device", value: megabytes(memory.device_bytes) },
    { what: "one guided forward, prompt included", value: `${forward_seconds.toFixed(1)} s` },
    { what: "largest difference of a logit", value: largest.toExponential(2) },
    { what: "a step with two candidates", value: `${round.step_seconds.toFixed(1)} s` },
    { what: "two previews", value: `${round.previews_seconds.toFixed(2)} s` },
    { what: "a whole picture", value: `${round.picture_seconds.toFixed(1)} s` },
    ...round.judges.map((/** @type {any} */ judged) => ({ what: `asking ${judged.verifier}`, value: `${judged.seconds.toFixed(1)} s` })),
    { what: "codes drawn as natively", value: `${alike(round.drawn, native_round.drawn)} %` },
    ...goals.map(([what, value, most, met]) => ({ what, value, goal: `at most ${most}`, met })),
  ]);
  if (goals.some(([, , , met]) => !met)) process.exitCode = 1;
} finally {
  await browser.close();
  site.close();
}

/** Says how far it is, now and then; the answer ends it. @param {() => Promise<string>} words */
function say(words) {
  const timer = setInterval(() => words().then(console.log, () => {}), PAUSE_MS);
  return () => clearInterval(timer);
}

/** @param {Buffer} bytes */
function floats(bytes) {
  return new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength));
}

/** @param {Float32Array} got @param {Float32Array} wanted */
function compare(got, wanted) {
  if (got.length !== wanted.length) throw new Error(`the browser gives ${got.length} logits, the native engine ${wanted.length}`);
  let [off, norm, largest] = [0, 0, 0];
  for (let index = 0; index < got.length; index += 1) {
    const difference = got[index] - wanted[index];
    off += difference ** 2;
    norm += wanted[index] ** 2;
    largest = Math.max(largest, Math.abs(difference));
  }
  // A NaN anywhere makes the distance NaN, which is within no limit.
  return { distance: Math.sqrt(off / norm), largest };
}

/** Equal codes in a hundred. @param {number[][]} got @param {number[][]} wanted */
function alike(got, wanted) {
  const [here, there] = [got.flat(), wanted.flat()];
  return ((here.filter((code, index) => code === there[index]).length / there.length) * 100).toFixed(1);
}

/** @param {number} bytes */
function megabytes(bytes) {
  return `${(bytes / 1e6).toFixed(0)} MB`;
}
