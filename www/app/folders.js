// A folder from disk as the visitor gives it: chosen, dropped, or as several files. What of it is a bundle, or why nothing is.

/** @import { Problem } from "./contract.js" */
/** @import { FolderFiles } from "../folder_files.js" */

/** The file that makes a folder a bundle. */
const MANIFEST = "manifest.json";

/** Of a folder with more files than any bundle has, so many are looked at. */
const MOST_FILES = 10_000;

/**
 * A file, by its path within what was chosen; a folder, by its name, with its handle where the browser gives one.
 *
 * @typedef {{ path: string, file: File }} Found
 * @typedef {{ name: string, found: Found[], handle?: FileSystemDirectoryHandle }} Chosen
 */

/**
 * The bundle in what was chosen: at its top, or in the only folder in it that is one.
 *
 * @param {Chosen} chosen
 * @returns {{ name: string, files: FolderFiles } | { problem: Problem }}
 */
export function bundleIn({ name, found }) {
  const paths = found.map(({ path }) => path);
  const bases = paths.filter((path) => path === MANIFEST || path.endsWith(`/${MANIFEST}`)).map((path) => path.slice(0, -MANIFEST.length));
  const base = bases.includes("") ? "" : bases.length === 1 ? bases[0] : null;
  if (base === null) return { problem: bases.length ? severalBundles(name, bases) : noBundle(name, paths) };
  const inside = found.filter(({ path }) => path.startsWith(base) && !path.slice(base.length).includes("/"));
  return {
    name: base.split("/").at(-2) || name,
    files: inside.map(({ path, file }) => [path.slice(base.length), file]),
  };
}

/** @param {string} name @param {string[]} bases @returns {Problem} */
function severalBundles(name, bases) {
  const some = bases.slice(0, 6).map((base) => base.slice(0, -1)).join(", ");
  return { code: "several_bundles", message: `“${name}” holds ${bases.length} bundles: ${some}${bases.length > 6 ? ", …" : ""}.`, remedy: "Open one of them." };
}

/** @param {string} name @param {string[]} paths @returns {Problem} */
function noBundle(name, paths) {
  const names = paths.map((path) => path.split("/").at(-1) ?? "");
  const weights = names.find((file) => /\.(safetensors|bin|pt|pth|ckpt)$/.test(file) || /\.(safetensors|bin)\.index\.json$/.test(file));
  if (weights || names.includes("config.json")) return notConverted(`“${name}”`, [names.includes("config.json") ? "config.json" : "", weights ?? ""].filter(Boolean));
  return {
    code: "no_manifest", message: paths.length ? `There is no ${MANIFEST} in “${name}”, so it is no bundle.` : `“${name}” is empty.`,
    remedy: "Open the folder that “quantize convert” has written.",
  };
}

/**
 * A checkpoint as a hub has it, in place of a bundle.
 *
 * @param {string} what
 * @param {string[]} files that say so
 * @returns {Problem}
 */
export function notConverted(what, files) {
  return {
    code: "not_converted",
    message: `${what} is a checkpoint as Hugging Face has it (${files.join(", ")}), and the page reads bundles.`,
    remedy: "Convert it first, with “cargo run --release -p quantize -- convert --input showo=hub/show-o --input magvit=hub/magvitv2 "
      + "--tokenizer hub/phi-1_5 --name show-o --licence Apache-2.0 --out bundles/show-o”, and open what comes of it; docs/bring-your-own.md shows the whole way.",
  };
}

/** What an input gave: a folder's files have paths, single ones have none. @param {File[]} files @returns {Chosen} */
export function chosenFiles(files) {
  const folder = files[0]?.webkitRelativePath.split("/")[0];
  const found = files.slice(0, MOST_FILES).map((file) => ({ path: file.webkitRelativePath.split("/").slice(1).join("/") || file.name, file }));
  return { name: folder || "the chosen files", found };
}

/** @param {FileSystemDirectoryHandle} handle @returns {Promise<Chosen>} */
export async function chosenHandle(handle) {
  /** @type {Found[]} */
  const found = [];
  /** @type {FileSystemDirectoryHandle[]} folders further down that are bundles */
  const bundles = [];
  for await (const entry of handle.values()) {
    if (entry.kind === "file") found.push({ path: entry.name, file: await /** @type {FileSystemFileHandle} */ (entry).getFile() });
    else if (await hasManifest(/** @type {FileSystemDirectoryHandle} */ (entry))) bundles.push(/** @type {FileSystemDirectoryHandle} */ (entry));
    if (found.length === MOST_FILES) break;
  }
  if (found.some(({ path }) => path === MANIFEST)) return { name: handle.name, found, handle };
  for (const bundle of bundles) {
    for (const { path, file } of (await chosenHandle(bundle)).found) found.push({ path: `${bundle.name}/${path}`, file });
  }
  return { name: handle.name, found, handle };
}

/** @param {FileSystemDirectoryHandle} folder */
function hasManifest(folder) {
  return folder.getFileHandle(MANIFEST).then(() => true, () => false);
}

/**
 * What was dropped, where it is a folder or parts of a bundle; null where it is anything else, such as a trace. Its items have to be asked for
 * before anything is waited for.
 *
 * @param {DataTransfer} transfer
 * @returns {Promise<Chosen | null>}
 */
export async function chosenDrop(transfer) {
  const files = [...transfer.files];
  const items = [...transfer.items].filter(({ kind }) => kind === "file");
  const handles = items.map((item) => /** @type {any} */ (item).getAsFileSystemHandle?.().catch(() => null));
  const entries = items.map((item) => item.webkitGetAsEntry?.() ?? null);
  for (const handle of await Promise.all(handles)) if (handle?.kind === "directory") return chosenHandle(handle);
  for (const entry of entries) {
    if (entry?.isDirectory) return { name: entry.name, found: await foundIn(/** @type {FileSystemDirectoryEntry} */ (entry), "", 2) };
  }
  const isOfBundle = ({ name = "" }) => name === MANIFEST || name === "config.json" || /\.(safetensors|bin|pt|pth|ckpt)$/.test(name);
  return files.some(isOfBundle) ? chosenFiles(files) : null;
}

/** @param {FileSystemDirectoryEntry} folder @param {string} base @param {number} levels @returns {Promise<Found[]>} */
async function foundIn(folder, base, levels) {
  const reader = folder.createReader();
  /** @type {Found[]} */
  const found = [];
  for (;;) {
    /** @type {FileSystemEntry[]} */
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    // Browsers give a hundred at a time.
    if (some.length === 0 || found.length > MOST_FILES) return found;
    for (const entry of some) {
      const path = `${base}${entry.name}`;
      if (entry.isFile) found.push({ path, file: await new Promise((resolve, reject) => /** @type {FileSystemFileEntry} */ (entry).file(resolve, reject)) });
      else if (levels > 1) found.push(...await foundIn(/** @type {FileSystemDirectoryEntry} */ (entry), `${path}/`, levels - 1));
    }
  }
}
