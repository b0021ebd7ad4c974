// Two tables with figures that the page itself does not know: the results that were measured, and the self test.

import { byId, h, setText, whenChanged } from "../dom.js";
import { settingsFault, toHash, typedFrom } from "../settings.js";

/** @import { Settings } from "../contract.js" */
/** @import { State } from "../state.js" */

/**
 * Shows the bundle's measured results, if it has any. Without them the page claims nothing.
 *
 * The file: `{ "caption": "…", "command": "…", "columns": ["strategy", …], "rows": [["none", 0.31, …], …],
 * "ways": [{ … }, null, …], "examples": [{ "what": "…", "settings": { … } }, …] }`.
 *
 * @param {string} bundle where it lies
 * @param {(way: Settings) => void} onWay somebody wants to draw as a row did
 * @param {() => boolean} isWanted whether they are still this model's that are to be shown
 */
export async function showResults(bundle, onWay, isWanted) {
  const response = await fetch(`${bundle}results.json`).catch(() => null);
  if (!response?.ok) return;
  const results = await response.json().catch(() => null);
  if (!isWanted()) return;
  if (!Array.isArray(results?.columns) || !Array.isArray(results?.rows) || results.rows.length === 0) return;
  // A bundle may be anybody's: what this page could not draw by is no way and no example.
  /** @type {(Settings | null)[]} */
  const ways = (Array.isArray(results.ways) ? results.ways : []).map((/** @type {unknown} */ way) => (settingsFault({ prompt: "", seed: 0, .../** @type {object} */ (way) }) ? null : way));
  const rows = results.rows.filter(Array.isArray);
  const named = rows.map((/** @type {unknown[]} */ [name, ...figures], /** @type {number} */ index) => {
    const way = ways[index];
    const title = "Draw the prompt above in this way";
    return [way ? h("button", { type: "button", class: "way", "data-testid": "way", title, click: () => onWay(way) }, String(name)) : name, ...figures];
  });
  fillTable(byId("results-table"), results.columns, named, results.caption);
  byId("ways-words").hidden = !ways.some(Boolean);
  const examples = (Array.isArray(results.examples) ? results.examples : []).filter((/** @type {any} */ example) => !settingsFault(example?.settings));
  byId("found").replaceChildren(...examples.map((/** @type {{ what: string, settings: Settings }} */ { what, settings }) => h("li", {},
    // They were measured without previews, which change nothing but what there is to see.
    h("a", { href: toHash(typedFrom({ ...settings, previews: true })), "data-testid": "found", click: () => byId("prompt").focus() }, `${what}: “${settings.prompt}”, seed ${settings.seed}`))));
  byId("found-words").hidden = examples.length === 0;
  setText(byId("results-command"), results.command ? `Measured with: ${results.command}` : "");
  byId("results").hidden = false;
}

export function selfTestView() {
  const show = whenChanged((/** @type {Record<string, unknown>[] | null} */ rows) => {
    const table = byId("self-test-table");
    if (!rows) return table.replaceChildren();
    const columns = [...new Set(rows.flatMap((row) => Object.keys(row)))];
    fillTable(table, columns, rows.map((row) => columns.map((column) => row[column])));
    /** @type {HTMLElement} */ (table.parentElement).hidden = false;
  });
  return (/** @type {State} */ state) => show(state.selfTest);
}

/** @param {HTMLElement} table @param {unknown[]} columns @param {unknown[][]} rows elements among them are shown as they are @param {string} [caption] */
function fillTable(table, columns, rows, caption) {
  table.replaceChildren(
    ...(caption ? [h("caption", {}, caption)] : []),
    h("thead", {}, h("tr", {}, ...columns.map((column) => h("th", { scope: "col" }, String(column).replaceAll("_", " "))))),
    h("tbody", {}, ...rows.map((row) => h("tr", {}, ...row.map((value, index) =>
      index === 0 ? h("th", { scope: "row" }, value instanceof Node ? value : valueWords(value)) : h("td", { class: typeof value === "number" ? "number" : "" }, valueWords(value)))))),
  );
}

/** @param {unknown} value */
function valueWords(value) {
  if (typeof value === "boolean") return value ? "yes" : "no";
  if (typeof value !== "number") return String(value ?? "");
  return Number.isInteger(value) ? String(value) : Math.abs(value) >= 0.01 ? value.toFixed(2) : value.toExponential(1);
}
