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
  // The browser has taken hold of the file by then.
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
}

/** A file name from a prompt: letters, digits and dashes. @param {State} state @param {string} ending */
export function fileName(state, ending) {
  const settings = state.drawing.started?.settings;
  const words = (settings?.prompt ?? "picture").toLowerCase().replace(/[^a-z0-9]+/g, "-").replace(/^-|-$/g, "").slice(0, 60);
  return `${words || "picture"}-seed-${settings?.seed ?? 0}.${ending}`;
}

/** @param {HTMLElement} button @param {string} text */
export async function copyText(button, text) {
  const label = button.textContent ?? "";
  try {
    await navigator.clipboard.writeText(text);
    setText(button, "Copied");
  } catch {
    // Plain http and some frames have no clipboard: show it, so that it can be copied by hand.
    prompt("Copy this:", text);
  }
  setTimeout(() => setText(button, label), 1500);
}
