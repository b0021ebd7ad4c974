// Which model draws: what the menu offers, and what becomes of a choice. It asks the engine and the browser; the state shows what came of it.

import { forget_bundle, kept_bytes, kept_under } from "../kept_shards.js";
import { DEFAULT_MODEL, bundleAddress } from "./addresses.js";
import { addressFault } from "./ask_address.js";
import { bundleIn, chosenHandle } from "./folders.js";
import { fits, tooLarge } from "./model_words.js";
import { mayRead } from "./opened_models.js";
import { atAddress, inFolder, shipped } from "./sources.js";
import { WORLDS } from "./worlds.js";

/** @import { Problem } from "./contract.js" */
/** @import { Network } from "./ask_address.js" */
/** @import { Chosen } from "./folders.js" */
/** @import { Opened, openedModels } from "./opened_models.js" */
/** @import { Source } from "./sources.js" */
/** @import { Offered, State } from "./state.js" */

/**
 * @param {object} page
 * @param {() => State} page.now
 * @param {(next: State) => void} page.change
 * @param {(source: Source) => void} page.use another model draws from here on
 * @param {{ load: () => void, consent: (keep: boolean) => void }} page.engine
 * @param {(problem: Problem) => void} page.refuse
 * @param {Network} page.network
 * @param {ReturnType<typeof openedModels>} page.opened
 * @param {() => Promise<StorageEstimate>} page.estimate how much this browser keeps, and how much it would
 */
export function modelsOnPage({ now, change, use, engine, refuse, network, opened, estimate }) {
  /** @type {Map<string, Opened>} */
  let known = new Map();
  /** @type {FileSystemDirectoryHandle | undefined} of the folder that draws */
  let handle;

  /** What the menu offers, anew. */
  async function list() {
    known = new Map((await opened.all()).map((one) => [one.id, one]));
    /** @type {Offered[]} */
    const offered = [];
    for (const id of Object.keys(WORLDS)) offered.push({ kind: "shipped", id, name: id, bytes: null, kept: await kept_under(shipped(id).bundle) });
    for (const { kind, id, name, bytes } of known.values()) offered.push({ kind, id, name, bytes, kept: true });
    change({ ...now(), offered });
  }

  /** Draws with another model from here on. @param {Source} source @param {FileSystemDirectoryHandle} [of] */
  function begin(source, of) {
    handle = of;
    use(source);
    engine.load();
  }

  /** The way out of every refusal: what this page ships. @param {Problem} problem */
  function fallBack(problem) {
    begin(shipped(DEFAULT_MODEL));
    refuse(problem);
  }

  /** @param {string} text as somebody wrote it */
  async function openAddress(text) {
    const read = bundleAddress(text, network.here);
    if ("problem" in read) return refuse(read.problem);
    const source = atAddress(read.address);
    const problem = await fault(source);
    if (problem) return refuse(problem);
    begin(source);
  }

  /** @param {Chosen} chosen */
  function openFolder(chosen) {
    const bundle = bundleIn(chosen);
    if ("problem" in bundle) return refuse(bundle.problem);
    begin(inFolder(bundle.name, bundle.files), chosen.handle);
  }

  /** One of an earlier visit. @param {Opened} one */
  async function openAgain(one) {
    if (one.kind === "address") return openAddress(one.id);
    if (!one.handle || !(await mayRead(one.handle))) {
      return refuse({ code: "not_permitted", message: `The browser does not let the page read the folder “${one.name}”`, remedy: "Allow it, or open the folder again." });
    }
    try {
      openFolder(await chosenHandle(one.handle));
    } catch {
      refuse({ code: "folder_gone", message: `The folder “${one.name}” cannot be read any more`, remedy: "Open it where it lies now." });
    }
  }

  /** @param {string} id */
  async function choose(id) {
    const one = known.get(id);
    if (one) return openAgain(one);
    begin(shipped(id));
  }

  /** Frees what a model takes in this browser, and forgets that it was opened. @param {string} id */
  async function forget(id) {
    const one = known.get(id);
    const source = one ? (one.kind === "address" ? atAddress(id) : null) : shipped(id);
    // Whatever still arrives would be kept again.
    if (one && now().source?.id === id) begin(shipped(DEFAULT_MODEL));
    if (source) await forget_bundle(source.bundle);
    if (one) await opened.forget(id);
    if (now().source?.id === id) await lookAtRoom();
    await list();
  }

  /** How much of the model is kept here, and what room there is for the rest. */
  async function lookAtRoom() {
    const { source, facts } = now();
    if (!source || !facts) return;
    const kept = source.kind === "folder" ? 0 : await kept_bytes(source.bundle, facts.shards);
    const { quota, usage } = await estimate().catch(() => /** @type {StorageEstimate} */ ({}));
    const free = quota === undefined || usage === undefined ? null : Math.max(0, quota - usage);
    if (now().source === source) change({ ...now(), room: { kept, free } });
  }

  /** Called once a bundle has said what it is. */
  async function opening() {
    const { source, facts } = now();
    if (!source || !facts) return;
    if (source.kind === "address") opened.rememberAddress(source.id, facts.name, facts.bytes);
    if (source.kind === "folder" && handle) await opened.rememberFolder(source.id, source.name, facts.bytes, handle);
    await lookAtRoom();
    await list();
  }

  /** Called once all of it is here: by now it is kept. */
  async function arrived() {
    await lookAtRoom();
    await list();
  }

  /** Somebody has looked at what the model needs, and wants it. */
  function load() {
    const { facts, device, room } = now();
    if (!facts || !device) return;
    const problem = tooLarge(facts, device);
    if (problem) return refuse(problem);
    engine.consent(fits(facts, room));
  }

  /** Why a bundle at an address cannot be read, if that is certain. @param {Source} source */
  const fault = (source) => addressFault(source, network);

  return { fault, list, openAddress, openFolder, choose, forget, opening, arrived, load, fallBack, back: () => begin(shipped(DEFAULT_MODEL)) };
}
