// The menu of models, and what one needs before it is loaded.

import { byId, h, setText, whenChanged } from "../dom.js";
import { chosenFiles, chosenHandle } from "../folders.js";
import { factRows, sizeWords, tooLarge } from "../model_words.js";
import { progressWords, sentence } from "../words.js";

/** @import { Device, Facts } from "../contract.js" */
/** @import { Chosen } from "../folders.js" */
/** @import { Source } from "../sources.js" */
/** @import { Offered, Room, State } from "../state.js" */

/** @type {Record<Offered["kind"], string>} */
const KINDS = { shipped: "comes with this page", address: "at an address", folder: "a folder on this device" };

/**
 * @param {{ onChoose: (id: string) => void, onForget: (id: string) => void }} actions
 */
export function modelMenuView({ onChoose, onForget }) {
  const showList = whenChanged((/** @type {Offered[]} */ offered, /** @type {string | undefined} */ current) => {
    byId("model-list").replaceChildren(...offered.map(({ kind, id, name, bytes, kept }) => h("li", {},
      h("button", { type: "button", class: "model", "data-testid": "model", "data-id": id, "aria-current": id === current && "true", title: kind === "address" ? id : null, click: () => onChoose(id) },
        h("b", {}, name), h("span", { class: "quiet" }, [KINDS[kind], bytes === null ? "" : sizeWords(bytes)].filter(Boolean).join(", "))),
      kept ? h("button", { type: "button", class: "small", "data-testid": "forget", "data-id": id, "aria-label": `Forget ${name}`, title: "Frees what it takes in this browser", click: () => onForget(id) }, "Forget") : null)));
  });
  const showFacts = whenChanged((/** @type {Facts | null} */ facts, /** @type {Device | null} */ device, /** @type {Source | null} */ source, /** @type {Room | null} */ room) => {
    byId("model-facts").replaceChildren(...(facts && device && source ? [h("h2", {}, facts.name), rowsOf(facts, device, source, room)] : []));
  });
  return (/** @type {State} */ state) => {
    setText(byId("model-name"), nameOf(state));
    showList(state.offered, state.source?.id);
    // While it is asked about, the same stands on the page itself.
    showFacts(state.engine === "asking" ? null : state.facts, state.device, state.source, state.room);
  };
}

/**
 * The menu's ways to open a model that is not in its list. A choice closes it: what comes of it is said on the page.
 *
 * @param {{ onFolder: (chosen: Chosen) => void, onAddress: (text: string) => void, onUnreadable: () => void }} actions
 */
export function mountModelMenu({ onFolder, onAddress, onUnreadable }) {
  const folder = /** @type {HTMLInputElement} */ (byId("folder-input"));
  const files = /** @type {HTMLInputElement} */ (byId("files-input"));
  const picker = /** @type {any} */ (window).showDirectoryPicker;
  setText(byId("folder-words"), typeof picker === "function"
    ? "A folder is read where it lies; the browser remembers which one it was, and asks before the page reads it again."
    : "A folder is read where it lies. This browser lets a page read it until the page is closed; after that, open it again.");
  // Telephones have no folders to choose.
  byId("open-folder").hidden = typeof picker !== "function" && !("webkitdirectory" in folder);
  byId("open-folder").addEventListener("click", async () => {
    if (typeof picker !== "function") return folder.click();
    /** @type {FileSystemDirectoryHandle} */
    let handle;
    try {
      handle = await picker.call(window, { id: "showo-bundle", mode: "read" });
    } catch (problem) {
      // Whoever closes the dialog has chosen nothing; a frame may not open one.
      if (!(problem instanceof DOMException && problem.name === "AbortError")) folder.click();
      return;
    }
    await chosenHandle(handle).then(onFolder, onUnreadable);
  });
  byId("open-files").addEventListener("click", () => files.click());
  for (const input of [folder, files]) {
    input.addEventListener("change", () => {
      if (input.files?.length) onFolder(chosenFiles([...input.files]));
      // The same may be chosen twice.
      input.value = "";
    });
  }
  const address = /** @type {HTMLInputElement} */ (byId("bundle-address"));
  byId("open-address").addEventListener("click", () => onAddress(address.value));
  address.addEventListener("keydown", (event) => event.key === "Enter" && !event.isComposing && onAddress(address.value));

  const menu = modelMenu();
  menu.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !menu.open) return;
    menu.open = false;
    menu.querySelector("summary")?.focus();
  });
  document.addEventListener("pointerdown", ({ target }) => {
    if (menu.open && target instanceof Node && !menu.contains(target)) menu.open = false;
  });
}

export function closeModelMenu() {
  modelMenu().open = false;
}

function modelMenu() {
  return /** @type {HTMLDetailsElement} */ (byId("model-menu"));
}

/** @param {{ onLoad: () => void, onBack: () => void, onPause: (paused: boolean) => void }} actions */
export function modelAskView({ onLoad, onBack, onPause }) {
  byId("model-load").addEventListener("click", onLoad);
  byId("model-back").addEventListener("click", onBack);
  byId("model-pause").addEventListener("click", () => onPause(byId("model-pause").dataset.paused !== "true"));
  const showFacts = whenChanged((/** @type {Facts} */ facts, /** @type {Device} */ device, /** @type {Source} */ source, /** @type {Room | null} */ room) => {
    setText(byId("model-ask-title"), `${facts.name} is not loaded yet`);
    const problem = tooLarge(facts, device);
    const load = /** @type {HTMLButtonElement} */ (byId("model-load"));
    load.hidden = problem !== null;
    setText(load, room?.kept && room.kept < facts.bytes ? "Go on loading" : "Load it");
    byId("model-ask-facts").replaceChildren(
      ...(problem ? [h("p", { class: "verdict-words" }, h("b", {}, sentence(problem.message)), ` ${sentence(problem.remedy ?? "")}`)] : []),
      rowsOf(facts, device, source, room),
    );
  });
  return (/** @type {State} */ state) => {
    const { engine, facts, device, source, room, paused } = state;
    const asks = engine === "asking" && facts !== null && device !== null && source !== null;
    byId("model-ask").hidden = !asks;
    if (asks) showFacts(facts, device, source, room);

    // What began by a button can rest, too.
    const arriving = state.asked && state.progress !== null && (state.progress.source === "network" || paused) && engine !== "asking";
    const pause = byId("model-pause");
    pause.hidden = !arriving;
    pause.dataset.paused = String(paused);
    setText(pause, paused ? "Go on" : "Pause");
    if (arriving && paused && state.progress) pause.title = progressWords(state.progress);
    else pause.removeAttribute("title");
  };
}

/** @param {State} state */
function nameOf({ facts, source }) {
  return facts?.name ?? source?.name ?? "none";
}

/** @param {Facts} facts @param {Device} device @param {Source} source @param {Room | null} room */
function rowsOf(facts, device, source, room) {
  return h("dl", { class: "facts" }, ...factRows(facts, device, source, room).flatMap(([term, words]) => [h("dt", {}, term), h("dd", {}, words)]));
}
