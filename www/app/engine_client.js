// The engine as the page has it: a worker that is started when it is first needed, told what to do, and given up after
// a fault. What it answers changes the state; what the state then waits for is asked of it.

import { drawingBegun, drawingResumed, notStarted, readiness, received, stopped, toEnlarge } from "./state.js";

/** @import { Picture, Problem, Request, Settings } from "./contract.js" */
/** @import { State } from "./state.js" */

/**
 * @param {object} page
 * @param {string} page.bundle
 * @param {"auto" | "cpu"} page.device
 * @param {() => State} page.now what the page knows at this moment
 * @param {(next: State) => void} page.change
 * @param {() => void} page.onAllHere called when nothing more is to be loaded
 */
export function engineClient({ bundle, device, now, change, onAllHere }) {
  /** @type {Worker | null} */
  let worker = null;
  /** @type {{ id: number, of: Picture | null }} the preview of which the large picture was asked for last */
  let asked = { id: 0, of: null };

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
    started.addEventListener("message", ({ data }) => {
      // What a worker that was given up still had to say is about an engine that is gone.
      if (started !== worker) return;
      if (data.type === "fault") return restart(data.message);
      if (data.type === "picture") {
        if (data.id === asked.id && asked.of) change({ ...now(), large: { of: asked.of, picture: data.picture } });
        return;
      }
      change(received(now(), data));
      drawIfReady();
      if (data.type === "verifier_ready") onAllHere();
    });
    started.addEventListener("error", (event) => {
      event.preventDefault();
      if (started === worker) restart(event.message || "it could not be started");
    });
    return started;
  }

  /** After a fault nothing in the worker can be trusted, and what waits there may wait for ever. @param {string} why */
  function restart(why) {
    worker?.terminate();
    worker = null;
    asked = { ...asked, of: null };
    change(stopped(now(), why));
    if (now().engine === "loading") send({ type: "load", bundle, device });
  }

  /** Loads the bundle; again, where that failed before. */
  function load() {
    change({ ...now(), engine: "loading", problem: null });
    send({ type: "load", bundle, device });
  }

  /** Draws with these settings as soon as everything they need is here. @param {Settings} settings */
  function draw(settings) {
    change({ ...now(), waiting: settings, problem: null });
    if (now().engine === "idle" || now().engine === "failed") load();
    drawIfReady();
  }

  /** A drawing that was asked for too early begins when everything it needs is here. */
  function drawIfReady() {
    const state = now();
    if (!state.waiting || state.run !== "idle") return;
    const settings = state.waiting;
    switch (readiness(state, settings)) {
      case "now":
        change(drawingBegun(state));
        return send({ type: "draw", settings });
      case "never":
        // If the verifier's own loading failed, that error says more than this one.
        return change({ ...state, waiting: null, problem: state.problem ?? notHere(state, settings) });
    }
  }

  /** Ends what is being drawn, or takes back what waits to be. */
  function stop() {
    if (now().waiting) return change({ ...now(), waiting: null });
    if (now().run !== "drawing") return;
    change({ ...now(), run: "stopping" });
    send({ type: "stop" });
  }

  /** Goes on with a drawing that was stopped, or whose device was lost. */
  function resume() {
    change(drawingResumed(now()));
    send({ type: "resume" });
  }

  /** What is looked at is shown as the tokenizer shows it, once that is here. */
  function enlarge() {
    const wanted = toEnlarge(now());
    if (!wanted || wanted.of === asked.of) return;
    asked = { id: asked.id + 1, of: wanted.of };
    send({ type: "picture", id: asked.id, codes: wanted.codes });
  }

  return { load, draw, stop, resume, enlarge, selfTest: () => send({ type: "self_test" }) };
}

/** What these settings need and the bundle lacks. @param {State} state @param {Settings} settings @returns {Problem} */
function notHere(state, { generator, verifier }) {
  const lacking = generator && !state.model?.generators.includes(generator) ? "generator" : "verifier";
  const word = lacking === "generator" ? generator : verifier;
  return {
    code: `${lacking}_missing`, field: lacking,
    message: `The ${lacking} “${word}” is not available with this bundle.`,
    remedy: `Choose another ${lacking}.`,
  };
}
