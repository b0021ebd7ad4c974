// Where it all meets: the form asks, the engine answers, the state changes, the views follow. In that direction only.

import { addressBar } from "./address_bar.js";
import { askedBy, embedCode, fullPage, onDevice, refusedOf, withSettings } from "./addresses.js";
import { network } from "./ask_address.js";
import { deviceMemory, surroundings } from "./device_memory.js";
import { byId, setText } from "./dom.js";
import { EMPTY_DRAWING, withEvent } from "./drawing.js";
import { engineClient, usesGraphics } from "./engine_client.js";
import { chosenDrop } from "./folders.js";
import { modelsOnPage } from "./models.js";
import { redrawing, UNPAINTED } from "./paint.js";
import { fileOf } from "./picture.js";
import { withNear } from "./prompt_words.js";
import { openedModels, surroundings as storageAround } from "./opened_models.js";
import { checked, fromHash, asDrawnBy, namedIn, toHash, typedBy, typedFrom } from "./settings.js";
import { addressWith, sourceAsked } from "./sources.js";
import { INITIAL_STATE } from "./state.js";
import { fromFile, MOST_BYTES, toFile } from "./trace_file.js";
import { damagedPicture } from "./trace_pictures.js";
import { announcementsView } from "./views/announcements.js";
import { choiceView } from "./views/choice.js";
import { formView, mountForm, readForm, writeForm } from "./views/form.js";
import { footView } from "./views/foot.js";
import { closeModelMenu, modelAskView, modelMenuView, mountModelMenu } from "./views/models.js";
import { copyText, download, fileName, openable, outcomeView } from "./views/outcome.js";
import { paintView } from "./views/paint.js";
import { reflectionView } from "./views/reflection.js";
import { sheetView } from "./views/sheet.js";
import { stageView } from "./views/stage.js";
import { standingView } from "./views/standing.js";
import { selfTestView } from "./views/tables.js";
import { megabytes } from "./words.js";
import { worldIn } from "./worlds.js";

/** @import { Facts, Problem, Settings, Wish } from "./contract.js" */
/** @import { Source } from "./sources.js" */
/** @import { State } from "./state.js" */

const asked = askedBy(location.href);
const { embedded, device } = asked;
const first = sourceAsked(asked);

/** What the frame around the page lacks (frame.js). @type {string | undefined} */
const cannotDraw = document.documentElement.dataset.cannotDraw;

const calm = matchMedia("(prefers-reduced-motion: reduce)");

/** @type {State} */
let state = { ...INITIAL_STATE, source: first };
let paintAsked = false;
/** The settings that the link names, and what the page itself wrote for the others: a model's recommendation changes only what still stands as the page wrote it. */
let chosen = namedIn(location.hash);
let written = fromHash("", worldIn(state).typed);

let memory = deviceMemory(surroundings(), first.id);
/** @type {Wish} */
let wish = { device, why: null, remembered: memory.measured() };
const engine = engineClient({ source: first, wish, now: () => state, change, onAllHere });

const bar = addressBar((hash) => history.replaceState(null, "", hash));

const models = modelsOnPage({
  now: () => state, change, use, engine, refuse, network: network(), opened: openedModels(storageAround()),
  estimate: async () => (await navigator.storage?.estimate?.()) ?? {},
});

/** @param {State} next */
function change(next) {
  if (next.device?.measured && next.device !== state.device) memory.remember(next.device.measured);
  const { facts } = state;
  state = next;
  if (next.facts && next.facts !== facts) learnt(next.facts);
  memory.note(usesGraphics(state));
  if (paintAsked) return;
  paintAsked = true;
  // A hidden tab gets no animation frames, yet its status should be right when it is looked at again.
  if (document.hidden) setTimeout(showState, 100);
  else requestAnimationFrame(showState);
}

function showState() {
  paintAsked = false;
  for (const view of views) view(state);
  showOtherDevice();
  engine.enlarge();
}

// --- another model ----------------------------------------------------------------------------------------------------

/** @param {Source} source */
function use(source) {
  memory.note(false);
  memory = deviceMemory(surroundings(), source.id);
  wish = { ...wish, remembered: memory.measured() };
  engine.use(source, wish);
  bar.forget();
  try { history.replaceState(null, "", addressWith(source, location.href)); } catch { /* a frame that forbids it */ }
  chosen = new Set();
  written = fromHash("", worldIn(state).typed);
  writeForm(written);
  showAddresses();
}

/** What was chosen in the menu is to be seen, and so is why it is refused. @param {void | Promise<void>} done */
async function fromMenu(done) {
  closeModelMenu();
  await done;
}

function unreadable() {
  refuse({ code: "folder_unreadable", message: "This folder cannot be read.", remedy: "Check that it may be read, or choose its files." });
}

/** A bundle has said what it is. @param {Facts} facts */
function learnt(facts) {
  void models.opening();
  const typed = readForm();
  const recommended = Object.entries({ ...worldIn(state).typed, ...typedBy(facts.decoding) }).filter(([id]) => !chosen.has(id) && typed[id] === written[id]);
  const taken = Object.fromEntries(recommended.map(([id, text]) => [id, text ?? ""]));
  written = { ...written, ...taken };
  writeForm(taken);
  edited();
}

function onAllHere() {
  void models.arrived();
  void keepForOffline();
}

/** Once all is here, so that keeping it takes nothing from the first visit; most of it then comes from the browser's own cache. */
async function keepForOffline() {
  if (embedded) return;
  try {
    // The browser's own cache has no say in which service worker is the newest.
    await navigator.serviceWorker?.register(new URL("../sw.js", import.meta.url), { updateViaCache: "none" });
  } catch {
    // A browser that refuses (a private window, some frames) has a page that works with a network, as before.
  }
}

// --- what a visitor does ----------------------------------------------------------------------------------------------

function draw() {
  if (state.run !== "idle" || state.waiting) return;
  bar.now();
  if (cannotDraw) return refuse({ code: "sandboxed", message: cannotDraw });
  const result = checked(readForm(), state.model?.grid ?? null);
  // A fresh object even for the same fault, so that its field gets the focus again.
  if ("problem" in result) return change({ ...state, problem: result.problem });
  if (state.engine === "idle" && state.source?.kind === "address") void isReadable().then((readable) => readable && engine.draw(result.settings));
  else engine.draw(result.settings);
  // On a phone the picture may stand below the fold. Not in a frame: that would scroll the page around it.
  if (!embedded) byId("picture").scrollIntoView({ block: "nearest", behavior: calm.matches ? "auto" : "smooth" });
}

/** What is painted, with other words for the picture or its own. @param {string} words */
function redraw(words) {
  if (state.run !== "idle" || state.waiting) return;
  if (cannotDraw) return refuse({ code: "sandboxed", message: cannotDraw });
  const asked = redrawing(state, readForm(), words);
  if ("problem" in asked) return refuse(asked.problem);
  engine.draw(asked.settings, asked.from);
}

/** An edit makes the link follow and takes back what was said about the old text. */
function edited() {
  bar.follow(toHash(readForm()));
  showAddresses();
  if (state.problem?.field) change({ ...state, problem: null });
}

/** The page with the form's settings, whatever its own address says. */
function here() {
  return withSettings(location.href, toHash(readForm()));
}

/** The addresses that the page hands on follow the form. */
function showAddresses() {
  /** @type {HTMLAnchorElement} */ (byId("full-page")).href = fullPage(here());
  showOtherDevice();
}

/** What a link cannot hold. */
function folderWords() {
  return state.source?.kind === "folder" ? "The link holds the settings, not the folder: it draws so where that folder has been opened." : "";
}

/** The way to overrule what was chosen, where there is a choice. */
function showOtherDevice() {
  const link = /** @type {HTMLAnchorElement} */ (byId("other-device"));
  const other = (state.device?.kind ?? (device === "cpu" ? "cpu" : "webgpu")) === "cpu" ? "webgpu" : "cpu";
  link.hidden = other === "webgpu" && !("gpu" in navigator);
  link.href = onDevice(here(), other);
  setText(link, other === "webgpu" ? "Draw on WebGPU instead" : "Draw on the CPU instead");
}

/** A visit that ended while its graphics device was at work is not repeated. */
async function begin() {
  const killed = device !== "cpu" && (await memory.wasKilled(device === "webgpu"));
  if (killed) Object.assign(wish, { device: "cpu", why: "the last visit ended while the graphics device was at work" });
  // A blog's readers who only scroll past, and those who save data, download nothing until they ask to draw.
  const saveData = /** @type {{ connection?: { saveData?: boolean } }} */ (navigator).connection?.saveData;
  if (embedded || saveData || cannotDraw || state.engine !== "idle") return;
  if (await isReadable()) engine.load();
}

/** Whether the bundle that the page's address asks for can be read; where it cannot, the page says why and draws with its own. */
async function isReadable() {
  if (state.source?.kind !== "address" || state.facts) return true;
  const fault = await models.fault(state.source);
  if (fault) models.fallBack(fault);
  return !fault;
}

/** @param {Settings} way */
function takeWay(way) {
  writeForm(asDrawnBy(way, readForm()));
  edited();
  // On a small screen they are folded, and what was filled in is to be seen.
  /** @type {HTMLDetailsElement} */ (byId("settings")).open = true;
  byId("prompt").focus();
}

/** @param {Problem} unknown @param {string} near */
function takeNear(unknown, near) {
  // The prompt, or the words beside the brush.
  const field = /** @type {HTMLInputElement} */ (byId(unknown.ofPaint ? "paint-words" : "prompt"));
  field.value = withNear(field.value, unknown, near, state.model?.words);
  edited();
  change({ ...state, problem: null });
  field.focus();
}

/** @param {File} file */
async function openTrace(file) {
  try {
    if (file.size > MOST_BYTES) throw new Error(`This file has ${megabytes(file.size)}; a trace has at most ${megabytes(MOST_BYTES)}.`);
    const text = await file.text().catch(() => { throw new Error("This file cannot be read."); });
    const events = fromFile(text);
    const damaged = await damagedPicture(events);
    if (damaged) throw new Error(damaged);
    const drawing = events.reduce(withEvent, EMPTY_DRAWING);
    // Asked last: a drawing may have begun while the file was looked at.
    if (state.run !== "idle" || state.waiting) return refuse({ code: "busy", message: "A drawing is going on.", remedy: "Stop it before opening a trace." });
    // Its steps are on the page, not in the engine: it can be looked at, not gone on with.
    change({ ...state, ...UNPAINTED, drawing, opened: true, resumable: null, selected: null, focused: null, problem: null });
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

// --- start ------------------------------------------------------------------------------------------------------------

mountForm(edited, draw);
writeForm(fromHash(location.hash, worldIn(state).typed));
// The page's own address follows once the bundle has said what it recommends, or somebody has chosen something.
showAddresses();

const views = [
  modelMenuView({ onChoose: (id) => void fromMenu(models.choose(id)), onForget: (id) => void models.forget(id) }),
  modelAskView({ onLoad: models.load, onBack: models.back, onPause: engine.pause }),
  formView(edited, () => worldIn(state).examples),
  announcementsView({ onNear: takeNear, onRetry: engine.load }),
  stageView(),
  choiceView((focused) => change({ ...state, focused })),
  sheetView((selected) => change({ ...state, selected, focused: null })),
  reflectionView(),
  outcomeView(),
  paintView({ now: () => state, change, onRedraw: redraw, onNear: takeNear }),
  footView(),
  selfTestView(),
  standingView(takeWay, !embedded),
];
showState();

byId("stop").addEventListener("click", engine.stop);
byId("go-on").addEventListener("click", engine.resume);
byId("self-test").addEventListener("click", engine.selfTest);
byId("save-picture").addEventListener("click", () => state.drawing.finished && download(fileOf(state.drawing.finished.picture), fileName(state, "png")));
byId("save-trace").addEventListener("click", () => download(toFile(state.drawing.events), fileName(state, "trace.json")));
byId("copy-link").addEventListener("click", (event) => copyText(/** @type {HTMLElement} */ (event.currentTarget), fullPage(here()), folderWords()));
byId("copy-embed").addEventListener("click", (event) => copyText(/** @type {HTMLElement} */ (event.currentTarget), embedCode(here()), folderWords()));
openable(/** @type {HTMLAnchorElement} */ (byId("full-page")));
const traceFile = /** @type {HTMLInputElement} */ (byId("trace-file"));
byId("open-trace").addEventListener("click", () => traceFile.click());
traceFile.addEventListener("change", () => {
  if (traceFile.files?.[0]) void openTrace(traceFile.files[0]);
  // The same file may be chosen twice.
  traceFile.value = "";
});
window.addEventListener("dragover", (event) => event.preventDefault());
window.addEventListener("drop", async (event) => {
  event.preventDefault();
  if (!event.dataTransfer) return;
  const file = event.dataTransfer.files[0];
  const folder = await chosenDrop(event.dataTransfer).catch(unreadable);
  if (folder) models.openFolder(folder);
  else if (file && folder === null) void openTrace(file);
});
mountModelMenu({
  onFolder: (chosen) => void fromMenu(models.openFolder(chosen)),
  onAddress: (text) => void fromMenu(models.openAddress(text)),
  onUnreadable: unreadable,
});
window.addEventListener("pagehide", bar.now);
window.addEventListener("hashchange", () => {
  bar.forget();
  chosen = namedIn(location.hash);
  writeForm(fromHash(location.hash, worldIn(state).typed));
  edited();
});

void models.list();
void begin();
// Whoever leaves by themselves was not killed.
window.addEventListener("pagehide", () => memory.note(false));
const refused = cannotDraw ? { code: "sandboxed", message: cannotDraw } : refusedOf(location.href);
if (refused) refuse(refused);

/** For tests and the curious: what is on the page, never a way to change it. */
Object.defineProperty(window, "showo", {
  value: Object.freeze({
    get events() { return state.drawing.events; },
    get state() { return state; },
  }),
});
