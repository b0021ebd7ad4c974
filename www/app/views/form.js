// The form: the prompt, the examples, the words, the settings. It owns what is typed; nothing else writes to it while
// someone types.

import { byId, h, setText, whenChanged } from "../dom.js";
import { NUMBER_FIELDS } from "../fields.js";
import { DEFAULTS } from "../settings.js";
import { readiness } from "../state.js";
import { GENERATORS, VERIFIERS } from "../words.js";

/** @import { State } from "../state.js" */
/** @import { Typed } from "../settings.js" */
/** @import { Example } from "../worlds.js" */
/** @import { Problem, Tuning, VerifierMode } from "../contract.js" */

/** @returns {Typed} */
export function readForm() {
  return Object.fromEntries(Object.keys(DEFAULTS).map((id) => {
    const control = byId(id);
    if (control instanceof HTMLInputElement && control.type === "checkbox") return [id, control.checked ? "1" : ""];
    return [id, /** @type {HTMLInputElement} */ (control).value];
  }));
}

/** @param {Typed} typed */
export function writeForm(typed) {
  for (const [id, value] of Object.entries(typed)) {
    const control = /** @type {HTMLInputElement} */ (byId(id));
    if (control.type === "checkbox") control.checked = value === "1";
    else if (control instanceof HTMLSelectElement) choose(control, value);
    else control.value = value;
  }
  showReflectionFields();
}

/**
 * A link may ask for what nobody offers. It stays there to be seen, and is refused by its name when something is drawn.
 *
 * @param {HTMLSelectElement} control
 * @param {string} value
 */
function choose(control, value) {
  for (const option of [...control.options]) if (option.dataset.unknown) option.remove();
  if (![...control.options].some((option) => option.value === value)) {
    control.append(h("option", { value, "data-unknown": "true" }, value ? `${value} (unknown)` : "(nothing)"));
  }
  control.value = value;
}

/**
 * @param {() => void} onEdit after any change, also one made by a button
 * @param {() => void} onDraw
 */
export function mountForm(onEdit, onDraw) {
  for (const { id, lowest, highest, step, sentence } of NUMBER_FIELDS) {
    const input = /** @type {HTMLInputElement} */ (byId(id));
    Object.assign(input, { min: String(lowest), max: String(highest), step: String(step), title: sentence });
  }
  byId("generator").append(...Object.entries(GENERATORS).map(([value, words]) => h("option", { value }, words)));
  byId("verifier").append(...Object.entries(VERIFIERS).map(([value, { option }]) => h("option", { value }, option)));
  byId("dice").addEventListener("click", () => {
    // Six digits are enough to wander in and short enough to tell someone.
    /** @type {HTMLInputElement} */ (byId("seed")).value = String(crypto.getRandomValues(new Uint32Array(1))[0] % 1_000_000);
    onEdit();
  });
  byId("draw").addEventListener("click", onDraw);
  byId("controls").addEventListener("keydown", (event) => {
    // As in any form; but not the Enter that ends a word in an input method.
    if (event.key !== "Enter" || event.isComposing || !(event.target instanceof HTMLInputElement)) return;
    event.preventDefault();
    if (!event.repeat) onDraw();
  });
  byId("controls").addEventListener("input", () => {
    showReflectionFields();
    onEdit();
  });
  // A small screen is for the picture first.
  const roomy = matchMedia("(min-width: 900px)").matches && !document.documentElement.classList.contains("embedded");
  /** @type {HTMLDetailsElement} */ (byId("settings")).open = roomy;
}

/** @param {string} prompt @param {() => void} onEdit */
export function setPrompt(prompt, onEdit) {
  /** @type {HTMLInputElement} */ (byId("prompt")).value = prompt;
  onEdit();
}

/**
 * @param {() => void} onEdit
 * @param {() => Example[]} before to offer until the model says its own
 */
export function formView(onEdit, before) {
  const showExamples = whenChanged((/** @type {Example[]} */ offered) => {
    byId("examples").replaceChildren(...offered.map(({ kind, prompt }) =>
      h("button", { type: "button", class: "example", "data-testid": "example", click: () => setPrompt(prompt, onEdit) },
        h("span", { class: "example-kind" }, kind), h("span", {}, prompt)),
    ));
  });
  const showWords = whenChanged((/** @type {string[] | undefined} */ words) => {
    byId("words").hidden = !words?.length;
    byId("word-list").replaceChildren(...(words ?? []).map((word) => h("li", {},
      h("button", {
        type: "button", class: "word", title: `Add “${word}” to the prompt`,
        click: () => setPrompt(`${/** @type {HTMLInputElement} */ (byId("prompt")).value.trimEnd()} ${word}`.trimStart(), onEdit),
      }, word),
    )));
  });
  const showGrid = whenChanged((/** @type {number | undefined} */ grid) => {
    if (grid) /** @type {HTMLInputElement} */ (byId("patch-grid")).max = String(grid);
  });
  const showVerifiers = whenChanged((/** @type {VerifierMode[] | undefined} */ offered) => {
    for (const option of /** @type {HTMLSelectElement} */ (byId("verifier")).options) {
      if (option.dataset.unknown) continue;
      const mode = /** @type {VerifierMode} */ (option.value);
      // Until the bundle has said what it holds, every mode may be picked; drawing waits for it.
      option.disabled = offered !== undefined && !offered.includes(mode);
      setText(option, VERIFIERS[mode].option + (option.disabled ? " (not available)" : ""));
    }
  });
  const showGenerators = whenChanged((/** @type {Tuning[] | undefined} */ held) => {
    for (const option of /** @type {HTMLSelectElement} */ (byId("generator")).options) {
      if (option.dataset.unknown) continue;
      const tuning = /** @type {Tuning} */ (option.value);
      option.disabled = held !== undefined && !held.includes(tuning);
      setText(option, GENERATORS[tuning] + (option.disabled ? " (not available)" : ""));
    }
  });
  const showFault = whenChanged((/** @type {Problem | null} */ problem) => {
    const field = problem?.field;
    for (const control of document.querySelectorAll("#controls [aria-invalid]")) {
      control.removeAttribute("aria-invalid");
      control.removeAttribute("aria-describedby");
    }
    const control = field && document.getElementById(field);
    if (!control || !control.closest("#controls")) return;
    control.closest("details")?.setAttribute("open", "");
    control.setAttribute("aria-invalid", "true");
    control.setAttribute("aria-describedby", "error");
    control.focus();
  });

  return (/** @type {State} */ state) => {
    // What stands there already is not made anew: somebody may be about to press it.
    const examples = before();
    const offered = state.model?.examples ?? examples;
    showExamples(JSON.stringify(offered) === JSON.stringify(examples) ? examples : offered);
    showWords(state.model?.words);
    showGrid(state.model?.grid);
    showVerifiers(state.model?.offered);
    showGenerators(state.model?.generators);
    showFault(state.problem);
    const busy = state.run !== "idle" || state.waiting !== null;
    /** @type {HTMLButtonElement} */ (byId("stop")).disabled = !busy || state.run === "stopping";
    /** @type {HTMLButtonElement} */ (byId("draw")).disabled = busy;
    const goOn = byId("go-on");
    // A drawing whose engine was lost goes on when another one is ready for it.
    const started = state.drawing.started;
    goOn.hidden = state.resumable === null || busy || !started || readiness(state, started.settings) !== "now";
    if (state.resumable !== null) setText(goOn, `Go on from step ${state.resumable + 1}`);
  };
}

function showReflectionFields() {
  byId("reflection-fields").hidden = !(/** @type {HTMLInputElement} */ (byId("reflection")).checked);
}
