// The engine as the page has it: a worker that is started when it is first needed, told what to do, and given up after a fault or a
// long silence. What it answers changes the state; what the state then waits for is asked of it.

import { otherModel } from "./paint.js";
import { mostUnasked } from "./sources.js";
import { drawingBegun, drawingResumed, INITIAL_STATE, lacking, notStarted, readiness, received, stopped, toEnlarge } from "./state.js";

/** @import { Picture, Problem, Request, Settings, Wish } from "./contract.js" */
/** @import { Beginning } from "./paint.js" */
/** @import { Source } from "./sources.js" */
/** @import { State } from "./state.js" */

/** How often the worker's silence is looked at. Looks are counted, not the clock: a machine that slept is no worker that hangs. */
const LOOK_MS = 1000;

/** Silent seconds in which a graphics device is opened and tried. The worker itself gives up sooner, unless it hangs. */
const OPENING_SECONDS = 45;

/** Before what failed is tried again without being asked, in milliseconds; doubled each time, up to the longest. */
const FIRST_RETRY_MS = 5000;
const LONGEST_RETRY_MS = 60_000;

/** Problems that pass by themselves: a connection, a server. */
const PASSING = new Set(["bundle_unreadable", "bundle_missing", "bundle_truncated", "engine_missing"]);

/**
 * @param {object} page
 * @param {Source} page.source where the model comes from, until `use` names another
 * @param {Wish} page.wish which device; changed here once a graphics device has failed
 * @param {() => State} page.now what the page knows at this moment
 * @param {(next: State) => void} page.change
 * @param {() => void} page.onAllHere called when nothing more is to be loaded
 */
export function engineClient({ source, wish, now, change, onAllHere }) {
  /** Whether somebody has said that the model is to be loaded, whatever its size. */
  let consented = false;
  let keep = true;
  /** @type {Worker | null} */
  let worker = null;
  /** @type {Worker | null} who knows the drawing on the page */
  let drawnBy = null;
  /** @type {{ id: number, of: Picture | null }} the preview of which the large picture was asked for last */
  let asked = { id: 0, of: null };
  let silentLooks = 0;
  /** @type {ReturnType<typeof setTimeout> | null} */
  let retry = null;
  let retryMs = FIRST_RETRY_MS;

  /** @param {Request} request */
  function send(request) {
    try {
      worker ??= startWorker();
    } catch (problem) {
      // A frame without an origin, say, may start none.
      return change(notStarted(now(), problem instanceof Error ? problem.message : String(problem)));
    }
    worker.postMessage(request);
  }

  function startWorker() {
    const started = new Worker(new URL("../worker.js", import.meta.url), { type: "module" });
    let heard = false;
    started.addEventListener("message", ({ data }) => {
      // What a worker that was given up still had to say is about an engine that is gone.
      if (started !== worker) return;
      silentLooks = 0;
      heard = true;
      if (data.type === "fault") return restart(data.message);
      if (data.type === "picture") {
        if (data.id === asked.id && asked.of) change({ ...now(), large: { of: asked.of, picture: data.picture } });
        return;
      }
      change(received(now(), data));
      if (data.type === "verifier_ready") settled(data.problem);
      else if (data.type === "error" && now().engine === "failed") retryLater(data.error);
      drawIfReady();
    });
    started.addEventListener("error", (event) => {
      event.preventDefault();
      if (started !== worker) return;
      restart(event.message || "it could not be started");
      // Its code did not arrive: that passes, unlike a fault of what did.
      if (!heard && !event.message) retryLater({ code: "engine_missing", message: "" });
    });
    watch(started);
    return started;
  }

  /** Gives a worker up that is silent for longer than its graphics device may be. @param {Worker} started */
  function watch(started) {
    silentLooks = 0;
    const timer = setInterval(() => {
      if (started !== worker) return clearInterval(timer);
      const most = patienceSeconds(now());
      silentLooks = most === null ? 0 : silentLooks + 1;
      if (most !== null && silentLooks * LOOK_MS > most * 1000) restart(`it did not answer for ${Math.round(most)} s`);
    }, LOOK_MS);
    // Under node a timer keeps the process.
    /** @type {any} */ (timer)?.unref?.();
  }

  /** After a fault nothing in the worker can be trusted, and what waits there may wait for ever. @param {string} why */
  function restart(why) {
    worker?.terminate();
    worker = null;
    asked = { ...asked, of: null };
    // What just failed is not tried again: the processor takes over.
    const onProcessor = usesGraphics(now()) && wish.device !== "cpu";
    if (onProcessor) Object.assign(wish, { device: "cpu", why: `the graphics device failed (${why})` });
    change(stopped(now(), why, onProcessor));
    if (now().engine === "loading") send(loadRequest());
  }

  /** All verifiers are here, or one of them is not. @param {Problem | null} problem */
  function settled(problem) {
    if (!problem) {
      retryMs = FIRST_RETRY_MS;
      return onAllHere();
    }
    // Whoever waits for what did not come is told; whoever waits for something else goes on waiting for that.
    const { waiting } = now();
    if (waiting && readiness(now(), waiting) === "later") change({ ...now(), waiting: null });
    retryLater(problem);
  }

  /** What passes by itself is tried again by itself. @param {Problem} problem */
  function retryLater(problem) {
    if (!PASSING.has(problem.code) || retry !== null) return;
    retry = setTimeout(again, retryMs);
    retryMs = Math.min(2 * retryMs, LONGEST_RETRY_MS);
    /** @type {any} */ (retry)?.unref?.();
  }

  globalThis.addEventListener?.("online", () => retry !== null && again());

  /** Loads the bundle, or what of it is not here yet. */
  function load() {
    change({ ...now(), problem: null, missing: null });
    again();
  }

  /** As `load`, by itself: what went wrong stays said until it is right. */
  function again() {
    if (retry !== null) clearTimeout(retry);
    retry = null;
    const state = now();
    if (state.engine === "loading") return;
    if (state.engine === "ready") {
      change({ ...state, verifiersSettled: false });
      return send({ type: "load_verifiers" });
    }
    change({ ...state, engine: "loading" });
    send(loadRequest());
  }

  /** @returns {Request} */
  function loadRequest() {
    const { bundle, files } = source;
    const most_bytes = consented ? Infinity : mostUnasked(source, globalThis.location?.href ?? bundle);
    return { type: "load", bundle, wish, ...(files ? { files } : {}), most_bytes, keep };
  }

  /** Loads a model that was asked about. @param {boolean} kept whether what is fetched is to be kept */
  function consent(kept) {
    consented = true;
    keep = kept;
    load();
  }

  /** Another model, in place of the one that draws: nothing of that stays. @param {Source} other @param {Wish} wished */
  function use(other, wished) {
    worker?.terminate();
    worker = null;
    drawnBy = null;
    if (retry !== null) clearTimeout(retry);
    [source, wish, consented, keep, retry, retryMs] = [other, wished, false, true, null, FIRST_RETRY_MS];
    asked = { ...asked, of: null };
    change({ ...INITIAL_STATE, source, offered: now().offered });
  }

  /** The download rests, or goes on. @param {boolean} paused */
  function pause(paused) {
    if (!worker) return;
    change({ ...now(), paused });
    send({ type: paused ? "pause" : "go_on" });
  }

  /**
   * Draws with these settings as soon as everything they need is here.
   *
   * @param {Settings} settings
   * @param {Beginning | null} [from] where some of it is there already
   */
  function draw(settings, from = null) {
    change({ ...now(), waiting: settings, from, problem: null });
    if (now().engine === "idle" || now().engine === "failed") load();
    drawIfReady();
  }

  /** A drawing that was asked for too early begins when everything it needs is here. */
  function drawIfReady() {
    const state = now();
    if (!state.waiting || state.run !== "idle") return;
    const { waiting: settings, from } = state;
    switch (readiness(state, settings)) {
      case "now": {
        // The model may have arrived after the picture, and be another one.
        const problem = from && otherModel(state);
        if (problem) return change({ ...state, waiting: null, problem });
        change(drawingBegun(state));
        send(from ? { type: "paint", settings, ...from } : { type: "draw", settings });
        drawnBy = worker;
        return;
      }
      case "later":
        // What did not come before is asked for again.
        if (state.engine === "ready" && state.verifiersSettled) load();
        return;
      case "never":
        return change({ ...state, waiting: null, problem: notHere(state, settings) });
    }
  }

  /** Ends what is being drawn, or takes back what waits to be. */
  function stop() {
    if (now().waiting) return change({ ...now(), waiting: null });
    if (now().run !== "drawing") return;
    change({ ...now(), run: "stopping" });
    send({ type: "stop" });
  }

  /** Goes on with a drawing that was stopped, or whose device or engine was lost. */
  function resume() {
    const { events } = now().drawing;
    change(drawingResumed(now()));
    if (worker !== null && worker === drawnBy) return send({ type: "resume" });
    send({ type: "resume", recording: JSON.stringify(events.filter((event) => event.type !== "cancelled")) });
    drawnBy = worker;
  }

  /** What is looked at is shown as the tokenizer shows it, once that is here. */
  function enlarge() {
    const wanted = toEnlarge(now());
    if (!wanted || wanted.of === asked.of) return;
    asked = { id: asked.id + 1, of: wanted.of };
    send({ type: "picture", id: asked.id, codes: wanted.codes });
  }

  return { load, consent, use, pause, draw, stop, resume, enlarge, selfTest: () => send({ type: "self_test" }) };
}

/** Whether a graphics device is being opened, or is at work. @param {State} state */
export function usesGraphics({ device, progress, engine, run }) {
  if (progress?.phase === "compile") return true;
  return device?.kind === "webgpu" && (engine === "loading" || run !== "idle");
}

/** How long the worker may be silent now; null where nothing but its own work can delay it. @param {State} state */
function patienceSeconds(state) {
  if (state.progress?.phase === "compile") return OPENING_SECONDS;
  if (state.device?.kind !== "webgpu" || state.run === "idle") return null;
  return OPENING_SECONDS + 2 * (state.device.patience_seconds ?? 0);
}

/** What these settings need and the bundle lacks. @param {State} state @param {Settings} settings @returns {Problem} */
function notHere({ model }, settings) {
  const { field, word } = (model && lacking(model, settings)) ?? { field: "verifier", word: settings.verifier };
  if (field === "reflection") {
    return { code: "verifier_missing", field, message: "Reflection needs CLIP, which this bundle does not have.", remedy: "Switch reflection off." };
  }
  return {
    code: `${field}_missing`, field,
    message: `The ${field} “${word}” is not available with this bundle.`,
    remedy: `Choose another ${field}.`,
  };
}
