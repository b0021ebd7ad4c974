// Models: where they come from, what is said of them before they are loaded, what is remembered, and why an address cannot be read.
import assert from "node:assert/strict";
import { test } from "node:test";

import { addressFault } from "../app/ask_address.js";
import { durationWords, factRows, fits, sizeWords, tooLarge } from "../app/model_words.js";
import { openedModels } from "../app/opened_models.js";
import { namedIn, typedBy } from "../app/settings.js";
import { addressWith, atAddress, inFolder, isElsewhere, shipped, sourceAsked } from "../app/sources.js";
import { trainedWords, worldIn, worldOf } from "../app/worlds.js";

const HERE = "https://example.org/page/?device=cpu#prompt=a+dog";
const FACTS = {
  name: "show-o", created: "", licence: "Apache-2.0", attribution: [], world: null, bytes: 1.6e9, bytes_to_draw: 1.5e9, device_bytes: 1.7e9,
  models: [{ kind: "showo", checkpoint: "show-o.bin", bytes: 1.5e9 }, { kind: "magvit", checkpoint: "magvit", bytes: 1e8 }, { kind: "preview", checkpoint: "magvit", bytes: 1e6 }],
  shards: [{ file: "a.safetensors", bytes: 1e9 }, { file: "b.safetensors", bytes: 6e8 }], largest_needed: 16e6, largest_given: 2e9, grid: 32, image_side_px: 512,
  decoding: { steps: 50, guidance_scale: 5, temperature: 1, candidates: 1, verifier: /** @type {const} */ ("none") }, seconds_a_forward: 0.5,
};
const GRAPHICS = /** @type {any} */ ({ kind: "webgpu", words: "WebGPU: a card" });
const CPU = /** @type {any} */ ({ kind: "cpu", words: "CPU" });

test("a source knows what it is called, whose it is, and the page's address with it", () => {
  assert.deepEqual([atAddress("https://a.b/models/show%20o/").name, atAddress("https://a.b/").name, atAddress("https://a.b/%zz/").name], ["show o", "a.b", "%zz"]);
  assert.equal(isElsewhere(atAddress("https://example.org/b/"), HERE), false);
  assert.equal(isElsewhere(atAddress("https://example.org:444/b/"), HERE), true);
  assert.equal(isElsewhere(shipped("icons"), HERE), false);
  assert.equal(addressWith(shipped("scenes"), HERE), "https://example.org/page/?device=cpu");
  assert.equal(addressWith(shipped("icons"), HERE), "https://example.org/page/?device=cpu&model=icons");
  const elsewhere = addressWith(atAddress("https://a.b/c/"), "https://example.org/page/?model=icons");
  assert.equal(new URL(elsewhere).searchParams.get("bundle"), "https://a.b/c/");
  assert.equal(new URL(addressWith(atAddress("https://example.org/c/"), HERE)).searchParams.get("bundle"), "/c/");
  assert.equal(addressWith(inFolder("mine", []), "https://example.org/page/?bundle=/c/&model=icons"), "https://example.org/page/");
  assert.equal(sourceAsked({ embedded: false, device: "auto", model: "icons", address: null }).bundle, "models/icons/");
  assert.equal(sourceAsked({ embedded: false, device: "auto", model: "icons", address: "https://a.b/" }).kind, "address");
});

test("before a model is loaded it is said what it is and needs", () => {
  const words = (...given) => Object.fromEntries(factRows(FACTS, GRAPHICS, atAddress("https://a.b/c/"), { kept: 0, free: 1e10 }).concat(given));
  const facts = words();
  assert.equal(facts["Made from"], "show-o.bin (showo); magvit (magvit, preview)");
  assert.equal(facts.Pictures, "512 × 512 pixels, 1024 tokens");
  assert.match(facts.Size, /^1\.60 GB in 2 files, of which 1\.50 GB before/);
  assert.equal(facts.Download, "1.60 GB");
  assert.match(facts.Storage, /^10\.0 GB left: .* kept/);
  assert.match(facts["Graphics memory"], /^about 1\.70 GB/);
  assert.match(facts["Largest buffer"], /^16 MB needed; .* 2\.00 GB$/);
  assert.match(facts.Time, /^about 25 s for a picture of 50 steps/);

  const row = (term, device, source, room) => Object.fromEntries(factRows(FACTS, device, source, room))[term];
  assert.equal(row("Download", CPU, atAddress("https://a.b/c/"), { kept: 4e8, free: 0 }), "1.20 GB; 400 MB of it are here already");
  assert.match(row("Storage", CPU, atAddress("https://a.b/c/"), { kept: 4e8, free: 1e9 }), /too little to keep it: it draws all the same/);
  assert.match(row("Download", CPU, shipped("x"), { kept: 1.6e9, free: 0 }), /none/);
  assert.match(row("Storage", CPU, shipped("x"), { kept: 0, free: null }), /does not say/);
  assert.match(row("From disk", CPU, inFolder("x", []), null), /nothing is downloaded or copied/);
  assert.equal(row("Download", CPU, inFolder("x", []), null), undefined);
  assert.equal(row("Largest buffer", CPU, shipped("x"), null) === undefined, false);
  assert.deepEqual([[5e3, "5 kB"], [1.45e6, "1.4 MB"], [44e6, "44 MB"], [1.5e9, "1.50 GB"]].filter(([bytes, said]) => sizeWords(bytes) !== said), []);
  assert.deepEqual([0.2, 12, 300, 20000].map(durationWords), ["less than a second", "about 12 s", "about 5 min", "about 6 h"]);
});

test("what does not fit is kept from the device, or only from the storage", () => {
  assert.equal(tooLarge(FACTS, GRAPHICS), null);
  assert.match(tooLarge({ ...FACTS, largest_needed: 3e9 }, GRAPHICS)?.message ?? "", /buffer of 3\.00 GB.*at most 2\.00 GB/);
  assert.match(tooLarge({ ...FACTS, device_bytes: 5e9, largest_given: null }, CPU)?.message ?? "", /5\.00 GB of memory/);
  assert.equal(tooLarge({ ...FACTS, device_bytes: 5e9 }, GRAPHICS), null, "nobody says how much memory a card has");
  assert.deepEqual([[0, 1e9], [6e8, 1e9], [0, 1.6e9], [0, null]].map(([kept, free]) => fits(FACTS, { kept, free })), [false, true, true, true]);
  assert.equal(fits(FACTS, null), true);
});

test("addresses that were opened are remembered, the newest first, and forgotten", async () => {
  const kept = new Map();
  let now = 0;
  const around = { storage: { getItem: (key) => kept.get(key) ?? null, setItem: (key, value) => void kept.set(key, value) }, databases: null, now: () => (now += 1) };
  const opened = openedModels(around);
  assert.deepEqual(await opened.all(), []);
  opened.rememberAddress("https://a.b/one/", "one", 1e6);
  opened.rememberAddress("https://a.b/two/", "two", 2e6);
  opened.rememberAddress("https://a.b/one/", "one again", 1e6);
  assert.deepEqual((await openedModels(around).all()).map(({ name }) => name), ["one again", "two"]);
  await opened.forget("https://a.b/one/");
  assert.deepEqual((await opened.all()).map(({ name }) => name), ["two"]);
  for (let count = 0; count < 30; count += 1) opened.rememberAddress(`https://a.b/${count}/`, String(count), 1);
  assert.equal((await opened.all()).length, 12);
  for (const spoilt of ["{", "null", "[null, 7, {\"kind\":\"address\",\"id\":\"no address\",\"name\":\"x\",\"bytes\":1,\"at\":1}]"]) {
    kept.set([...kept.keys()][0], spoilt);
    assert.deepEqual(await opened.all(), [], spoilt);
  }
  const refusing = openedModels({ ...around, storage: { getItem: () => { throw new Error("no"); }, setItem: () => { throw new Error("no"); } } });
  refusing.rememberAddress("https://a.b/", "x", 1);
  await refusing.rememberFolder("folder:x/", "x", 1, /** @type {any} */ ({}));
  assert.deepEqual(await refusing.all(), []);
});

/**
 * A network in which some addresses answer, and some only those who may not look.
 *
 * @param {Record<string, any>} answers statuses or bodies by address
 * @param {{ opaque?: boolean, forbidden?: boolean }} [of]
 */
function network(answers, { opaque = false, forbidden = false } = {}) {
  return {
    here: HERE,
    fetch: async (address, { mode } = /** @type {RequestInit} */ ({})) => {
      if (mode === "no-cors" && opaque) return { ok: false, status: 0, json: async () => null };
      const answer = answers[address];
      if (answer === undefined) throw new TypeError("Failed to fetch");
      return typeof answer === "number" ? { ok: false, status: answer, json: async () => Promise.reject(new Error("no JSON")) } : { ok: true, status: 200, json: async () => answer };
    },
    isForbidden: async () => forbidden,
  };
}

test("why an address cannot be read is said where it is certain", async () => {
  const there = atAddress("https://a.b/c/");
  const fault = async (source, answers, of) => (await addressFault(source, network(answers, of)))?.code ?? null;
  assert.equal(await fault(there, { "https://a.b/c/manifest.json": {} }), null);
  assert.equal(await fault(there, {}, { forbidden: true }), "other_site");
  assert.equal(await fault(there, {}, { opaque: true }), "no_cors");
  assert.equal(await fault(there, {}), "unreachable");
  assert.equal(await fault(there, { "https://a.b/c/manifest.json": 404, "https://a.b/c/config.json": { _class_name: "Showo" } }), "not_converted");
  assert.equal(await fault(there, { "https://a.b/c/manifest.json": 404, "https://a.b/c/config.json": 404 }), "no_manifest");
  assert.equal(await fault(there, { "https://a.b/c/manifest.json": 404 }), "no_manifest");
  // What may pass is the engine's, which tries again.
  assert.equal(await fault(there, { "https://a.b/c/manifest.json": 503 }), null);
  assert.equal(await fault(atAddress("https://example.org/b/"), {}), null);
});

test("the form takes what a bundle recommends, and the words follow its world", () => {
  assert.deepEqual(typedBy({ steps: 18, guidance_scale: Math.fround(1.7), temperature: 1, candidates: 4, verifier: "parm" }),
    { steps: "18", guidance: "1.7", temperature: "1", candidates: "4", verifier: "parm" });
  assert.deepEqual([...namedIn("#steps=3&toString=1&prompt=")], ["steps", "prompt"]);
  const of = (kind, id, world) => worldIn({ source: { kind, id }, facts: { world } });
  assert.equal(of("shipped", "icons", "scenes"), worldOf("icons"));
  assert.equal(of("address", "icons", "icons"), worldOf("icons"));
  assert.equal(of("folder", "folder:icons/", null).trained_on, null);
  assert.match(trainedWords(worldOf("icons")), /trained from nothing on a picture-book world/);
  assert.match(trainedWords(worldOf("")), /opened here/);
});
