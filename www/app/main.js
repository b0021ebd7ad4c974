// Where it all meets: the form asks, the worker answers, the state changes, the views follow. In that direction only.

import { bundleOf, modelOf } from "./contract.js";
import { byId, setText } from "./dom.js";
import { EMPTY_DRAWING, withEvent } from "./drawing.js";
import { fileOf } from "./picture.js";
import { checked, fromHash, inTheWayOf, toHash, typedFrom } from "./settings.js";
import { drawingBegun, drawingResumed, INITIAL_STATE, readiness, received, stopped, toEnlarge } from "./state.js";
import { fromFile, toFile } from "./trace_file.js";
import { announcementsView } from "./views/announcements.js";
import { choiceView } from "./views/choice.js";
import { formView, mountForm, readForm, setPrompt, writeForm } from "./views/form.js";
import { footView } from "./views/foot.js";
import { copyText, download, fileName, outcomeView } from "./views/outcome.js";
import { reflectionView } from "./views/reflection.js";
import { sheetView } from "./views/sheet.js";
import { stageView } from "./views/stage.js";
import { selfTestView, showResults } from "./views/tables.js";
import { worldOf } from "./worlds.js";

/** @import { Picture, Problem, Request, Settings } from "./contract.js" */
/** @import { State } from "./state.js" */

const query = new URLSearchParams(location.search);
const embedded = query.has("embed");
/** `?device=cpu` leaves the graphics device alone. */
const device = query.get("device") === "cpu" ? "cpu" : "auto";
/** `?model=icons` draws with another bundle. */
const model = modelOf(query);
const bundle = bundleOf(model);
const world = worldOf(model);

const calm = matchMedia("(prefers-reduced-motion: reduce)");

/** @type {State} */
let state = INITIAL_STATE;
/** @type {Worker | null} */
let worker = null;
let paintAsked = false;

/** @param {State} next */
function change(next) {
  state = next;
  if (paintAsked) return;
  paintAsked = true;
  // A hidden tab gets no animation frames, yet its status should be right when it is looked at again.
  if (document.hidden) setTimeout(showState, 100);
  else requestAnimationFrame(showState);
}

function showState() {
  paintAsked = false;
  for (const view of views) view(state);
  askForLarge();
}

/** @type {{ id: number, of: Picture | null }} the preview of which the large picture was asked for last */
let asked = { id: 0, of: null };

/** What is looked at is shown as the tokenizer shows it, once that is here. */
function askForLarge() {
  const wanted = toEnlarge(state);
  if (!wanted || wanted.of === asked.of) return;
  asked = { id: asked.id + 1, of: wanted.of };
  send({ type: "picture", id: asked.id, codes: wanted.codes });
}

// --- the worker -----------------------------------------------------------------------------------------------------

/** @param {Request} request */
function send(request) {
  worker ??= startWorker();
  worker.postMessage(request);
}

function startWorker() {
  const started = new Worker(new URL("../worker.js", import.meta.url), { type: "module" });
  started.addEventListener("message", ({ data }) => {
    // What a worker that was given up still had to say is about an engine that is gone.
    if (started !== worker) return;
    if (data.type === "fault") return restart(data.message);
    if (data.type === "picture") {
      if (data.id === asked.id && asked.of) change({ ...state, large: { of: asked.of, picture: data.picture } });
      return;
    }
    change(received(state, data));
    drawIfReady();
    if (data.type === "verifier_ready") keepForOffline();
  });
  started.addEventListener("error", (event) => {
    event.preventDefault();
    if (started === worker) restart(event.message || "it could not be started");
  });
  return started;
}

/** Once all is here, so that keeping it takes nothing from the first visit; most of it then comes from the browser's own cache. */
function keepForOffline() {
  if (embedded || !navigator.serviceWorker) return;
  // A browser that refuses (a private window) has a page that works with a network, as before.
  navigator.serviceWorker.register(new URL("../sw.js", import.meta.url)).catch(() => {});
}

/** After a fault nothing in the worker can be trusted, and what waits there may wait for ever. @param {string} why */
function restart(why) {
  worker?.terminate();
  worker = null;
  asked = { ...asked, of: null };
  change(stopped(state, why));
  if (state.engine === "loading") send({ type: "load", bundle, device });
}

function load() {
  change({ ...state, engine: "loading", problem: null });
  send({ type: "load", bundle, device });
}

/** A drawing that was asked for too early begins when everything it needs is here. */
function drawIfReady() {
  if (!state.waiting || state.run !== "idle") return;
  const settings = state.waiting;
  switch (readiness(state, settings)) {
    case "now":
      change(drawingBegun(state));
      return send({ type: "draw", settings });
    case "never":
      // If the verifier's own loading failed, that error says more than this one.
      return change({ ...state, waiting: null, problem: state.problem ?? notHere(settings) });
  }
}

/** What these settings need and the bundle lacks. @param {Settings} settings @returns {Problem} */
function notHere({ generator, verifier }) {
  const lacking = generator && !state.model?.generators.includes(generator) ? "generator" : "verifier";
  const word = lacking === "generator" ? generator : verifier;
  return {
    code: `${lacking}_missing`, field: lacking,
    message: `The ${lacking} “${word}” is not available with this bundle.`,
    remedy: `Choose another ${lacking}.`,
  };
}

// --- what a visitor does ----------------------------------------------------------------------------------------------

/** @param {SubmitEvent} event */
function draw(event) {
  event.preventDefault();
  if (state.run !== "idle" || state.waiting) return;
  const result = checked(readForm(), state.model?.grid ?? null);
  // A fresh object even for the same fault, so that its field gets the focus again.
  if ("problem" in result) return change({ ...state, problem: result.problem });
  change({ ...state, waiting: result.settings, problem: null });
  if (state.engine === "idle" || state.engine === "failed") load();
  drawIfReady();
  // On a phone the picture may stand below the fold. Not in a frame: that would scroll the page around it.
  if (!embedded) byId("picture").scrollIntoView({ block: "nearest", behavior: calm.matches ? "auto" : "smooth" });
}

function stop() {
  if (state.waiting) return change({ ...state, waiting: null });
  if (state.run !== "drawing") return;
  change({ ...state, run: "stopping" });
  send({ type: "stop" });
}

function goOn() {
  change(drawingResumed(state));
  send({ type: "resume" });
}

/** An edit makes the link follow and takes back what was said about the old text. */
function edited() {
  history.replaceState(null, "", toHash(readForm()));
  showAddresses();
  if (state.problem?.field) change({ ...state, problem: null });
}

/** @param {Settings} way */
function takeWay(way) {
  writeForm(inTheWayOf(way, readForm()));
  edited();
  // On a small screen they are folded, and what was filled in is to be seen.
  /** @type {HTMLDetailsElement} */ (byId("settings")).open = true;
  byId("prompt").focus();
}

/** @param {string | undefined} word the unknown one, where the engine named it @param {string} near */
function takeNear(word, near) {
  const prompt = readForm().prompt;
  const known = new Set(state.model?.words);
  const unknown = word ?? prompt.toLowerCase().match(/[\p{L}\d]+/gu)?.find((other) => !known.has(other));
  const at = unknown ? prompt.toLowerCase().indexOf(unknown.toLowerCase()) : -1;
  setPrompt(at < 0 || !unknown ? prompt : prompt.slice(0, at) + near + prompt.slice(at + unknown.length), edited);
  change({ ...state, problem: null });
  byId("prompt").focus();
}

/** @param {File} file */
async function openTrace(file) {
  if (state.run !== "idle") return refuse({ code: "busy", message: "A drawing is going on.", remedy: "Stop it before opening a trace." });
  try {
    const drawing = fromFile(await file.text()).reduce(withEvent, EMPTY_DRAWING);
    // Its steps are on the page, not in the engine: it can be looked at, not gone on with.
    change({ ...state, drawing, opened: true, resumable: null, selected: null, focused: null, problem: null });
    if (drawing.started) writeForm(typedFrom(drawing.started.settings));
    edited();
  } catch (problem) {
    refuse({ code: "bad_trace", message: problem instanceof Error ? problem.message : String(problem), remedy: "Choose a trace saved by this page or by the showo command." });
  }
}

/** @param {Problem} problem */
function refuse(problem) {
  change({ ...state, problem });
}

// --- addresses --------------------------------------------------------------------------------------------------------

function pageAddress() {
  const address = new URL(location.href);
  address.searchParams.delete("embed");
  return address;
}

function embedCode() {
  const address = pageAddress();
  address.searchParams.set("embed", "");
  const source = address.href.replaceAll("&", "&amp;").replaceAll('"', "&quot;");
  return `<iframe src="${source}" width="480" height="640" allow="clipboard-write" title="A picture, chosen step by step"></iframe>`;
}

function showAddresses() {
  /** @type {HTMLAnchorElement} */ (byId("full-page")).href = pageAddress().href;
  const other = pageAddress();
  if (device === "cpu") other.searchParams.delete("device");
  else other.searchParams.set("device", "cpu");
  const link = /** @type {HTMLAnchorElement} */ (byId("other-device"));
  link.href = other.href;
  setText(link, device === "cpu" ? "Draw on WebGPU where there is one" : "Draw on the CPU instead");
}

// --- start ------------------------------------------------------------------------------------------------------------

mountForm(edited);
setText(byId("trained-on"), world.trained_on);
writeForm(fromHash(location.hash, world.typed));
edited();

const views = [
  formView(edited, world.examples),
  announcementsView({ onNear: takeNear, onRetry: load }),
  stageView(),
  choiceView((focused) => change({ ...state, focused })),
  sheetView((selected) => change({ ...state, selected, focused: null })),
  reflectionView(),
  outcomeView(),
  footView(),
  selfTestView(),
];
showState();

byId("controls").addEventListener("submit", draw);
byId("stop").addEventListener("click", stop);
byId("go-on").addEventListener("click", goOn);
byId("self-test").addEventListener("click", () => send({ type: "self_test" }));
byId("save-picture").addEventListener("click", () => state.drawing.finished && download(fileOf(state.drawing.finished.picture), fileName(state, "png")));
byId("save-trace").addEventListener("click", () => download(toFile(state.drawing.events), fileName(state, "trace.json")));
byId("copy-link").addEventListener("click", (event) => copyText(/** @type {HTMLElement} */ (event.currentTarget), pageAddress().href));
byId("copy-embed").addEventListener("click", (event) => copyText(/** @type {HTMLElement} */ (event.currentTarget), embedCode()));
const traceFile = /** @type {HTMLInputElement} */ (byId("trace-file"));
byId("open-trace").addEventListener("click", () => traceFile.click());
traceFile.addEventListener("change", () => {
  if (traceFile.files?.[0]) void openTrace(traceFile.files[0]);
  // The same file may be chosen twice.
  traceFile.value = "";
});
window.addEventListener("dragover", (event) => event.preventDefault());
window.addEventListener("drop", (event) => {
  event.preventDefault();
  const file = event.dataTransfer?.files[0];
  if (file) void openTrace(file);
});
window.addEventListener("hashchange", () => {
  writeForm(fromHash(location.hash, world.typed));
  edited();
});

// A blog's readers who only scroll past, and those who save data, download nothing until they ask to draw.
const saveData = /** @type {{ connection?: { saveData?: boolean } }} */ (navigator).connection?.saveData;
if (!embedded && !saveData) load();
if (!embedded) void showResults(bundle, takeWay);

/** For tests and the curious: what is on the page, never a way to change it. */
Object.defineProperty(window, "showo", {
  value: Object.freeze({
    get events() { return state.drawing.events; },
    get state() { return state; },
  }),
});
