// What of a chosen folder is a bundle, or why nothing is; and the folder as the worker reads it.
import assert from "node:assert/strict";
import { test } from "node:test";

import { bundleIn, chosenDrop, chosenFiles, chosenHandle } from "../app/folders.js";
import { fetch_patiently, forget_shard, shard_pieces } from "../fetch_cached.js";
import { folder_address, open_folder } from "../folder_files.js";

/** @param {...string} paths */
const found = (...paths) => paths.map((path) => ({ path, file: new File([path], path.split("/").at(-1)) }));
/** @param {string} name @param {...string} paths */
const chosen = (name, ...paths) => ({ name, found: found(...paths) });

test("a bundle is found at the top, or in the only folder that is one, without what lies around it", () => {
  const top = bundleIn(chosen("show-o", "manifest.json", "showo-000.safetensors", "old/manifest.json", "old/x.safetensors"));
  assert.deepEqual([top.name, top.files.map(([name]) => name)], ["show-o", ["manifest.json", "showo-000.safetensors"]]);
  const below = bundleIn(chosen("bundles", "notes.txt", "show-o/manifest.json", "show-o/showo-000.safetensors", "show-o/more/y"));
  assert.deepEqual([below.name, below.files.map(([name]) => name)], ["show-o", ["manifest.json", "showo-000.safetensors"]]);
});

test("what is no bundle is refused with what it is instead", () => {
  const refusal = (...chosenPaths) => bundleIn(chosen(...chosenPaths)).problem;
  assert.equal(refusal("empty").code, "no_manifest");
  assert.match(refusal("photos", "a.jpg", "b.jpg").message, /no manifest\.json in “photos”/);
  for (const files of [["config.json", "pytorch_model.bin"], ["config.json", "model.safetensors"], ["model-00001-of-00002.safetensors"], ["config.json", "diffusion_pytorch_model.safetensors.index.json"], ["config.json"]]) {
    const problem = refusal("show-o", ...files);
    assert.equal(problem.code, "not_converted", files.join());
    assert.match(problem.remedy, /quantize -- convert --input showo=/);
    assert.ok(problem.message.includes(files[0]));
  }
  const several = refusal("bundles", "a/manifest.json", "b/manifest.json");
  assert.equal(several.code, "several_bundles");
  assert.match(several.message, /2 bundles: a, b\./);
});

test("an input's files have the folder's name, or none", () => {
  const [file] = [new File(["{}"], "manifest.json")];
  assert.deepEqual([chosenFiles([Object.defineProperty(file, "webkitRelativePath", { value: "" })]).name], ["the chosen files"]);
  const inside = Object.defineProperty(new File(["{}"], "manifest.json"), "webkitRelativePath", { value: "show-o/manifest.json" });
  const { name, found } = chosenFiles([inside]);
  assert.deepEqual([name, found[0].path], ["show-o", "manifest.json"]);
});

/** A directory handle over an object: folders are objects, files texts. @param {string} name @param {any} content */
function handleOf(name, content) {
  const entry = ([key, value]) => (typeof value === "string" ? { kind: "file", name: key, getFile: async () => new File([value], key) } : handleOf(key, value));
  return {
    kind: "directory", name,
    values: async function* () { yield* Object.entries(content).map(entry); },
    getFileHandle: async (key) => (typeof content[key] === "string" ? entry([key, content[key]]) : Promise.reject(new Error("not found"))),
  };
}

test("a directory's handle is read no further down than bundles lie", async () => {
  const direct = await chosenHandle(handleOf("show-o", { "manifest.json": "{}", "a.safetensors": "x", deeper: { "manifest.json": "{}" } }));
  assert.deepEqual(direct.found.map(({ path }) => path), ["manifest.json", "a.safetensors"]);
  assert.equal(direct.handle?.name, "show-o");
  const below = await chosenHandle(handleOf("bundles", { photos: { "a.jpg": "" }, one: { "manifest.json": "{}", "b.safetensors": "y" } }));
  assert.deepEqual(below.found.map(({ path }) => path), ["one/manifest.json", "one/b.safetensors"]);
});

test("a drop of a folder or of a bundle's files is one, a trace is none", async () => {
  const transfer = (files, items = []) => ({ files, items });
  assert.equal(await chosenDrop(transfer([new File(["[]"], "saved.trace.json")])), null);
  assert.equal((await chosenDrop(transfer(["manifest.json", "a.safetensors"].map((name) => Object.defineProperty(new File([""], name), "webkitRelativePath", { value: "" })))))?.found.length, 2);
  const handle = handleOf("dropped", { "manifest.json": "{}" });
  assert.equal((await chosenDrop(transfer([], [{ kind: "file", getAsFileSystemHandle: async () => handle }])))?.handle, handle);
  // Firefox and Safari have entries.
  const file = (name) => ({ isFile: true, name, file: (resolve) => resolve(new File(["x"], name)) });
  const batches = [[file("manifest.json")], [{ isDirectory: true, name: "below", createReader: () => ({ readEntries: (resolve) => resolve([]) }) }], []];
  const entry = { isDirectory: true, name: "entries", createReader: () => ({ readEntries: (resolve) => resolve(batches.shift()) }) };
  const dropped = await chosenDrop(transfer([], [{ kind: "file", webkitGetAsEntry: () => entry }]));
  assert.deepEqual([dropped?.name, dropped?.found.map(({ path }) => path)], ["entries", ["manifest.json"]]);
});

test("the worker reads an opened folder in pieces, never whole", async () => {
  const body = new Uint8Array(5 * 1024 * 1024 + 3).map((_, index) => (index * 7) % 253);
  /** @type {number[]} */
  const slices = [];
  const file = new Blob([body]);
  const slice = file.slice.bind(file);
  Object.assign(file, { slice: (/** @type {number} */ from, /** @type {number} */ to) => { slices.push(to - from); return slice(from, to); }, arrayBuffer: () => assert.fail("it was read whole") });
  const address = folder_address("my models/ü?");
  open_folder(address, [["manifest.json", new Blob(["{}"])], ["a.safetensors", file]]);
  const pieces = [];
  for await (const { bytes, source } of shard_pieces(`${address}a.safetensors`, body.length)) {
    assert.equal(source, "disk");
    pieces.push(Buffer.from(bytes));
  }
  assert.ok(Buffer.concat(pieces).equals(Buffer.from(body)));
  assert.ok(slices.length === 3 && slices.every((length) => length <= 2 * 1024 * 1024), slices.join());
  assert.equal(await (await fetch_patiently(`${address}manifest.json`)).text(), "{}");
  assert.equal((await fetch_patiently(`${address}other.json`)).status, 404);
  await assert.rejects(shard_pieces(`${address}missing.safetensors`, 1).next(), { code: "shard_missing", file: "missing.safetensors" });
  await forget_shard(`${address}a.safetensors`);
});

test("a file that has changed since is named", async () => {
  const gone = new Blob(["x"]);
  Object.assign(gone, { slice: () => ({ arrayBuffer: () => Promise.reject(new DOMException("changed", "NotReadableError")) }) });
  open_folder("folder:gone/", [["a.safetensors", gone]]);
  await assert.rejects(shard_pieces("folder:gone/a.safetensors", 1).next(), { code: "folder_changed", remedy: "Open the folder again." });
});
