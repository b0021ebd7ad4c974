// The worker: carries messages between the page and the engine, and nothing else.
//
// Messages are described in app/contract.js. The engine lives here so that the page never waits for it.

import { completeWebGpu } from "./app/webgpu.js";
import { fetch_patiently, go_on, pause_downloads } from "./fetch_cached.js";
import { open_folder } from "./folder_files.js";
import { keep_shards } from "./kept_shards.js";

/** Where the build puts what wasm-bindgen made. */
const ENGINE_MODULE = "./showo.js";
const ENGINE_WASM = "./showo_bg.wasm";

/** Letters of a fault that a sentence has room for. */
const LONGEST_FAULT = 160;

/** @type {Promise<any> | null} the engine's module, once it is being fetched */
let module_promise = null;
/** @type {any} the engine with its bundle open, once it is; its models may still be on their way */
let engine = null;
/** @type {Promise<boolean> | null} the models that drawing needs, while they are on their way; whether they came */
let loading = null;

completeWebGpu(/** @type {any} */ (navigator).gpu);

// A panic inside the engine leaves promises that nobody keeps: the page has to know, to give this worker up. Errors
// that nobody catches reach it by themselves.
self.addEventListener("unhandledrejection", ({ reason }) => fault(reason));
self.addEventListener("error", (event) => {
  event.preventDefault();
  fault(event.error ?? event.message);
});

self.addEventListener("message", ({ data }) => {
  // A stop must be heard while a drawing is going on, so that no message waits for the one before.
  handle(data).catch((problem) => report(problem));
});

/** @param {{ type: string, [key: string]: any }} message */
async function handle(message) {
  switch (message.type) {
    case "load":
      return load(/** @type {any} */ (message));
    case "pause":
      return pause_downloads();
    case "go_on":
      return go_on();
    case "load_verifiers":
      return load_verifiers();
    case "draw":
      return run((on_event) => engine.draw(message.settings, on_event, on_progress));
    case "paint":
      return run((on_event) => engine.paint(message.settings, Int32Array.from(message.codes), Uint8Array.from(message.hole), on_event, on_progress));
    case "resume":
      return run((on_event) => engine.resume(message.recording, on_event, on_progress));
    case "stop":
      return engine?.stop();
    case "self_test":
      return post({ type: "self_test", rows: await (engine ?? (await engine_module())).self_test() });
    case "picture":
      return post({ type: "picture", id: message.id, picture: await engine.picture(Int32Array.from(message.codes)) });
    case "probe":
      return post({ type: "probe", logits: await engine.probe(message.prompt), memory: engine.memory() });
    case "round":
      return post({ type: "round", round: await engine.round(message.prompt), memory: engine.memory() });
  }
}

/**
 * Loads what is not here yet: an attempt goes on where the last one failed.
 *
 * @param {Load} message
 */
async function load(message) {
  loading ??= load_drawing(message).finally(() => {
    loading = null;
  });
  // Drawing is possible from here on; what judges may arrive while the first picture is being drawn.
  if (await loading) await load_verifiers();
}

/**
 * @typedef {{ bundle: string, wish: object, files?: import("./folder_files.js").FolderFiles, most_bytes?: number, keep?: boolean }} Load
 *
 * @param {Load} message
 * @returns {Promise<boolean>} false where the bundle is larger than what is loaded without asking
 */
async function load_drawing({ bundle, wish, files, most_bytes = Infinity, keep = true }) {
  const module = await engine_module();
  const address = new URL(bundle, self.location.href).href;
  if (files) open_folder(address, files);
  engine ??= await module.Engine.open(address, wish, on_progress);
  post({ type: "device", device: engine.device() });
  const facts = await engine.facts(most_bytes);
  post({ type: "opened", device: engine.device(), facts });
  if (facts.bytes > most_bytes) {
    post({ type: "asks" });
    return false;
  }
  keep_shards(keep);
  await engine.load(on_progress);
  post({ type: "ready", device: engine.device(), model: engine.model() });
  return true;
}

/** What judges. One part that fails does not keep the others away. */
async function load_verifiers() {
  try {
    await engine.load_verifiers(on_progress);
    post({ type: "verifier_ready", ...engine.verifiers(), problem: null });
  } catch (problem) {
    const worded = worded_problem(problem);
    if (!worded) throw problem;
    post({ type: "verifier_ready", ...engine.verifiers(), problem: worded });
  }
}

/**
 * `done` follows every drawing, also one that failed: an error alone could come from a verifier that is still loading.
 *
 * @param {(on_event: (event: object) => void) => Promise<void>} drawing
 */
async function run(drawing) {
  try {
    await drawing((event) => post({ type: "event", event }));
  } catch (problem) {
    report(problem);
  } finally {
    // A lost device was perhaps replaced by another.
    post({ type: "device", device: engine.device() });
    post({ type: "done" });
  }
}

/** Fetches and starts the engine, once; a failed attempt may be repeated. */
function engine_module() {
  module_promise ??= start_engine().catch((problem) => {
    module_promise = null;
    throw problem;
  });
  return module_promise;
}

async function start_engine() {
  const [module, wasm] = await Promise.all([
    import(ENGINE_MODULE).catch((problem) => {
      throw engine_missing(problem.message);
    }),
    fetch_wasm(),
  ]);
  await module.default({ module_or_path: wasm });
  return module;
}

/** @param {string} why */
function engine_missing(why) {
  return {
    code: "engine_missing",
    message: `the engine’s code could not be fetched (${why})`,
    remedy: "Check the connection and try again; whoever serves this page must serve the built folder, dist.",
  };
}

/** The engine's code, counted as it arrives and still compiled while it streams. */
async function fetch_wasm() {
  const address = new URL(ENGINE_WASM, self.location.href);
  const response = await fetch_patiently(address.href).catch((problem) => {
    throw engine_missing(problem.message);
  });
  if (!response.ok || !response.body) {
    throw engine_missing(`the server answered ${response.status}`);
  }
  // A compressed answer's length counts other bytes than those that arrive here.
  const bytes_total = response.headers.has("Content-Encoding") ? 0 : Number(response.headers.get("Content-Length") ?? 0);
  let bytes_done = 0;
  const counted = response.body.pipeThrough(
    new TransformStream({
      transform(chunk, controller) {
        bytes_done += chunk.length;
        post({ type: "progress", phase: "engine", kind: "code", file: "showo_bg.wasm", bytes_done, bytes_total, source: "network" });
        controller.enqueue(chunk);
      },
    }),
  );
  return new Response(counted, { headers: { "Content-Type": "application/wasm" } });
}

/** @param {object} progress */
function on_progress(progress) {
  post({ type: "progress", ...progress });
}

/** @param {any} problem */
function report(problem) {
  const worded = worded_problem(problem);
  if (problem?.code === "device_lost") {
    post({ type: "device_lost", next_step: problem.next_step ?? 0, message: problem.message });
  } else if (worded) {
    post({ type: "error", error: worded });
  } else if (problem instanceof WebAssembly.RuntimeError) {
    fault(problem);
  } else {
    const message = problem instanceof Error ? problem.message : String(problem);
    post({ type: "error", error: { code: "unexpected", message, remedy: "Reload the page." } });
  }
}

/** A problem with a sentence of its own; nothing else is one. @param {any} problem */
function worded_problem(problem) {
  if (typeof problem?.code !== "string" || typeof problem.message !== "string") return null;
  const { code, message, remedy, near, field, word, place } = problem;
  return { code, message, remedy, near, field, word, place };
}

/** @param {any} problem */
function fault(problem) {
  // A panic of the engine's reaches JavaScript as a bare “unreachable”; what it said stands beside.
  const said = /** @type {any} */ (self).showo_panic ?? (problem instanceof Error ? problem.message : String(problem));
  // Of an error within it only that error's own first line is for people; all of it is in the console.
  const words = said.replace(/^called `.*?` on an? `.*?` value: (JsValue\()?/, "").split("\n")[0];
  post({ type: "fault", message: words.length > LONGEST_FAULT ? `${words.slice(0, LONGEST_FAULT)}…` : words });
}

/** @param {object} message */
function post(message) {
  self.postMessage(message);
}
