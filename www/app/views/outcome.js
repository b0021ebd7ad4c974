// What a drawing cost, and the ways to keep it or hand it on.

import { byId, h, setText, whenChanged } from "../dom.js";
import { totalsWords } from "../words.js";

/** @import { FinishedEvent } from "../contract.js" */
/** @import { State } from "../state.js" */

export function outcomeView() {
  const showTotals = whenChanged((/** @type {FinishedEvent | null} */ finished) => {
    byId("totals").replaceChildren(...(finished ? totalsWords(finished.totals) : []).map((words) => h("span", {}, words)));
  });
  return (/** @type {State} */ state) => {
    showTotals(state.drawing.finished);
    /** @type {HTMLButtonElement} */ (byId("save-picture")).disabled = !state.drawing.finished;
    /** @type {HTMLButtonElement} */ (byId("save-trace")).disabled = state.drawing.events.length === 0 || state.run !== "idle";
  };
}

/** @param {Blob} file @param {string} name */
export function download(file, name) {
  const address = URL.createObjectURL(file);
  h("a", { href: address, download: name }).click();
  // A sandbox forbids it without telling the page.
  tell(mayLack("allow-downloads") ? `If ${name} does not arrive, this frame may not save files: its sandbox needs allow-downloads.` : "");
  // The browser has taken hold of the file by then.
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
}

/** A file name from a prompt: letters, digits and dashes. @param {State} state @param {string} ending */
export function fileName(state, ending) {
  const settings = state.drawing.started?.settings;
  const words = (settings?.prompt ?? "picture").toLowerCase().replace(/[^a-z0-9]+/g, "-").replace(/^-|-$/g, "").slice(0, 60);
  return `${words || "picture"}-seed-${settings?.seed ?? 0}.${ending}`;
}

/** @param {HTMLElement} button @param {string} text @param {string} [note] what whoever hands it on should know */
export async function copyText(button, text, note = "") {
  const label = button.textContent ?? "";
  try {
    await navigator.clipboard.writeText(text);
    tell(note);
    setText(button, "Copied");
    setTimeout(() => setText(button, label), 1500);
  } catch {
    // Plain http and some frames have no clipboard; some have no dialogs either.
    tell("There is no clipboard here. Copy this by hand:", text);
  }
}

/** A link that a sandbox may keep from opening; the address is shown then. @param {HTMLAnchorElement} link */
export function openable(link) {
  link.addEventListener("click", (event) => {
    const plain = event.button === 0 && !event.ctrlKey && !event.metaKey && !event.shiftKey && !event.altKey;
    if (!plain || !mayLack("allow-popups")) return;
    event.preventDefault();
    if (opens(link.href)) tell("");
    else tell("This frame may not open pages: its sandbox needs allow-popups. The full page is here:", link.href);
  });
}

/** @param {string} address */
function opens(address) {
  try {
    const opened = window.open(address, "_blank");
    if (opened) opened.opener = null;
    return opened !== null;
  } catch {
    // Some browsers throw where others answer with nothing.
    return false;
  }
}

/** Says what became of what was handed on, with a text to copy by hand if there is one. @param {string} words @param {string} [text] */
function tell(words, text) {
  setText(byId("handed-on"), words);
  const area = /** @type {HTMLTextAreaElement} */ (byId("by-hand"));
  area.hidden = !text;
  area.value = text ?? "";
  if (text) area.select();
}

/** Whether the frame around the page may forbid what a word of its sandbox allows; only frames of our own origin say. @param {string} word */
function mayLack(word) {
  if (window.parent === window) return false;
  const frame = window.frameElement;
  if (frame instanceof HTMLElement || frame?.nodeName === "IFRAME") {
    const { sandbox } = /** @type {HTMLIFrameElement} */ (frame);
    return frame.hasAttribute("sandbox") && !sandbox.contains(word);
  }
  return true;
}
