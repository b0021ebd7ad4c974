// The picture at the moment on show, and the checker's word on the final one.

import { byId, h, setText, whenChanged } from "../dom.js";
import { pictureAt } from "../drawing.js";
import { drawnAgain } from "../paint.js";
import { blank, paint } from "../picture.js";
import { momentIndex } from "../state.js";
import { count, momentWords, sentence, verdictWords } from "../words.js";

/** @import { Drawing } from "../drawing.js" */
/** @import { FinishedEvent } from "../contract.js" */
/** @import { State } from "../state.js" */

export function stageView() {
  const canvas = /** @type {HTMLCanvasElement} */ (byId("picture"));

  const showPicture = whenChanged((/** @type {Drawing} */ drawing, /** @type {number} */ index, /** @type {number | null} */ focused, /** @type {boolean} */ live, /** @type {State["large"]} */ large, /** @type {number} */ side) => {
    const moment = drawing.moments[index];
    const final = drawing.finished && (live || index === drawing.moments.length - 1) && focused === null;
    const shown = final ? drawing.finished?.picture : moment && pictureAt(moment, focused);
    const picture = shown && large?.of === shown ? large.picture : shown;
    const title = final ? "The picture" : moment ? momentWords(moment) : "";
    canvas.parentElement?.classList.toggle("all-masked", !moment);
    setText(byId("picture-empty"), picture ? "" : moment ? "This step was drawn without a preview." : "");
    const prompt = drawing.started?.settings.prompt ?? "";
    const again = drawnAgain(drawing);
    const of = again === null ? "" : `, ${count(again, "token")} drawn again`;
    setText(byId("picture-caption"), moment ? `“${prompt}”${final ? `, seed ${drawing.started?.settings.seed}${of}` : `: ${title.toLowerCase()}`}` : "");
    if (!picture) {
      canvas.setAttribute("aria-label", moment ? `${title}, no preview` : "Nothing drawn yet");
      return blank(canvas, drawing.started?.image_side_px ?? side);
    }
    canvas.setAttribute("aria-label", final ? `The picture drawn for “${prompt}”` : `Preview at ${title.toLowerCase()}`);
    void paint(canvas, picture, final ? "finished" : `moment ${index}`).then((shown) => {
      if (!shown) setText(byId("picture-empty"), "This picture is damaged and cannot be shown.");
    });
  });

  const showVerdict = whenChanged((/** @type {FinishedEvent | null} */ finished, /** @type {boolean} */ lookingBack) => {
    const verdict = byId("verdict");
    const word = finished?.verdict;
    // There is no checker of the open world.
    verdict.hidden = !word && !finished?.unchecked;
    if (!finished || verdict.hidden) return verdict.replaceChildren();
    verdict.dataset.accepted = word ? String(word.accepted) : "none";
    verdict.replaceChildren(...(word
      ? [
          h("p", { class: "verdict-words" },
            h("b", {}, `Checker${lookingBack ? ", on the final picture" : ""}: ${verdictWords(word)}`), ` ${sentence(word.sentence)}`),
          h("p", { class: "quiet" }, "Read from the pixels alone; PARM had no part in it."),
        ]
      : [h("p", { class: "quiet" }, `The checker has no word on this picture: ${sentence(finished.unchecked ?? "")}`)]));
  });

  const showNotes = whenChanged((/** @type {string[] | undefined} */ notes) => {
    setText(byId("picture-notes"), (notes ?? []).map(sentence).join(" "));
  });

  const showGrid = whenChanged((/** @type {number} */ grid) => {
    canvas.parentElement?.style.setProperty("--grid", String(grid));
  });

  return (/** @type {State} */ state) => {
    showPicture(state.drawing, momentIndex(state), state.focused, state.selected === null, state.large, state.facts?.image_side_px ?? 64);
    showNotes(state.drawing.started?.notes);
    showGrid(state.drawing.started?.grid ?? state.facts?.grid ?? 8);
    showVerdict(state.drawing.finished, state.selected !== null || state.focused !== null);
  };
}
