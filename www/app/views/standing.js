// The page's standing text and its table of results, where they depend on which model draws.

import { byId, setText, whenChanged } from "../dom.js";
import { trainedWords, worldIn } from "../worlds.js";
import { showResults } from "./tables.js";

/** @import { Settings } from "../contract.js" */
/** @import { Source } from "../sources.js" */
/** @import { State } from "../state.js" */
/** @import { WorldPage } from "../worlds.js" */

/** @param {(way: Settings) => void} onWay somebody wants to draw as a row of the results did @param {boolean} withResults */
export function standingView(onWay, withResults) {
  const showText = whenChanged((/** @type {WorldPage} */ world) => {
    const isOurs = world.trained_on !== null;
    setText(byId("lede-size"), isOurs ? "A small" : "A");
    setText(byId("trained-on"), trainedWords(world));
    // There is no checker of the open world.
    byId("checked-by").hidden = !isOurs;
    /** @type {HTMLInputElement} */ (byId("prompt")).placeholder = isOurs ? "" : "Describe a picture";
  });
  /** @type {Source | null} */
  let shown = null;
  const showTable = whenChanged((/** @type {Source | null} */ source) => {
    shown = source;
    byId("results").hidden = true;
    // Only what this page ships has been measured here.
    if (withResults && source?.kind === "shipped") void showResults(source.bundle, onWay, () => shown === source);
  });
  return (/** @type {State} */ state) => {
    showText(worldIn(state));
    showTable(state.source);
  };
}
