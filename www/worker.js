// The worker: carries messages between the page and the engine, and nothing else.
//
// Messages are described in app/contract.js. The engine lives here so that the page never waits for it.

/** Where the build puts what wasm-bindgen made. */
const ENGINE_MODULE = "./showo.js";
const ENGINE_WASM = "./showo_bg.wasm";

/** @type {Promise<any> | null} the engine's module, once it is being fetched */
let module_promise = null;
/** @type {any} */
let engine = null;

// A panic inside the engine leaves promises that nobody keeps: the page has to know, to give this worker up. Errors
// that nobody catches reach it by themselves.
self.addEventListener("unhandledrejection", ({ reason }) => fault(reason));

self.addEventListener("message", ({ data }) => {
  // A stop must be heard while a drawing is going on, so that no message waits for the one before.
  handle(data).catch((problem) => report(problem));
});

/** @param {{ type: string, [key: string]: any }} message */
async function handle(message) {
  switch (message.type) {
    case "load":
      return load(message.bundle, message.device);
    case "draw":
      return run(async (on_event) => {
        // Weights that nobody asked for before are fetched now; nothing happens where they are there.
        await engine.load_generator(message.settings.generator ?? "base", on_progress);
        post({ type: "progress", phase: "ready", bytes_done: 0, bytes_total: 0, source: "network" });
        return engine.draw(message.settings, on_event);
      });
    case "resume":
      return run((on_event) => engine.resume(on_event));
    case "stop":
      return engine?.stop();
    case "self_test":
      return post({ type: "self_test", rows: await (await engine_module()).self_test() });
    case "picture":
      return post({ type: "picture", id: message.id, picture: await engine.picture(Int32Array.from(message.codes)) });
    case "probe":
      return post({ type: "probe", logits: await engine.probe(message.prompt), memory: engine.memory() });
  }
}

/**
 * @param {string} bundle
 * @param {"auto" | "cpu"} device
 */
async function load(bundle, device) {
  const module = await engine_module();
  const address = new URL(bundle, self.location.href).href;
  engine = await module.Engine.load(address, device, on_progress);
  const ready = engine.ready();
  post({ type: "ready", ...ready });
  // Drawing is possible from here on; what judges may arrive while the first picture is being drawn.
  try {
    post({ type: "verifier_ready", verifiers: await engine.load_verifiers(on_progress) });
  } catch (problem) {
    report(problem);
    post({ type: "verifier_ready", verifiers: ready.model.verifiers });
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
  const response = await fetch(address);
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
  if (problem?.code === "device_lost") {
    post({ type: "device_lost", next_step: problem.next_step ?? 0 });
  } else if (typeof problem?.code === "string") {
    const { code, message, remedy, near, field, word, place } = problem;
    post({ type: "error", error: { code, message, remedy, near, field, word, place } });
  } else if (problem instanceof WebAssembly.RuntimeError) {
    fault(problem);
  } else {
    const message = problem instanceof Error ? problem.message : String(problem);
    post({ type: "error", error: { code: "unexpected", message, remedy: "Reload the page." } });
  }
}

/** @param {any} problem */
function fault(problem) {
  post({ type: "fault", message: problem instanceof Error ? problem.message : String(problem) });
}

/** @param {object} message */
function post(message) {
  self.postMessage(message);
}
