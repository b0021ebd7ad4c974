// What a browser remembers of its devices, and what it makes of a visit that was cut off.
import assert from "node:assert/strict";
import { test } from "node:test";

import { deviceMemory } from "../app/device_memory.js";

const MEASURED = { adapter: "SwiftShader", webgpu_seconds: 0.2, cpu_seconds: 0.02 };

/** A browser: what is stored outlives its tabs, locks do not. */
function browser() {
  const stored = new Map();
  const held = new Set();
  const browser = { agent: "Browser 1", now: 1000 };
  const storage = {
    getItem: (/** @type {string} */ key) => stored.get(key) ?? null,
    setItem: (/** @type {string} */ key, /** @type {string} */ value) => void stored.set(key, value),
    removeItem: (/** @type {string} */ key) => void stored.delete(key),
  };
  return {
    browser,
    stored,
    /** @param {string} [model] */
    tab(model = "scenes") {
      const mine = new Set();
      const locks = {
        request: async (/** @type {string} */ name) => { held.add(name); mine.add(name); },
        query: async () => ({ held: [...held].map((name) => ({ name })) }),
      };
      const around = /** @type {any} */ ({ storage, locks, get agent() { return browser.agent; }, now: () => browser.now });
      return { ...deviceMemory(around, model), dies: () => mine.forEach((name) => held.delete(name)) };
    },
  };
}

test("a measurement is remembered for this browser, this model and some weeks", () => {
  const { browser: machine, tab } = browser();
  assert.equal(tab().measured(), null);
  tab().remember(MEASURED);
  assert.deepEqual(tab().measured(), MEASURED);
  assert.equal(tab("icons").measured(), null);
  machine.agent = "Browser 2";
  assert.equal(tab().measured(), null);
  machine.agent = "Browser 1";
  machine.now += 31 * 86_400_000;
  assert.equal(tab().measured(), null);
});

test("a visit that dies at work is followed by careful ones, until somebody asks for the device", async () => {
  const { tab } = browser();
  const first = tab();
  assert.equal(await first.wasKilled(false), false);
  first.note(true);
  first.dies();
  assert.equal(await tab().wasKilled(false), true);
  assert.equal(await tab().wasKilled(false), true, "the next one is careful, too");
  assert.equal(await tab().wasKilled(true), false, "it is asked for");
  assert.equal(await tab().wasKilled(false), false);
});

test("a visit that dies although it was asked for is not repeated by a reload", async () => {
  const { tab } = browser();
  const first = tab();
  first.note(true);
  first.dies();
  assert.equal(await tab().wasKilled(true), true);
  assert.equal(await tab().wasKilled(true), false, "asking once more tries once more");
});

test("a tab that is still at work, one that ended its work, and one that left are not dead", async () => {
  const { tab } = browser();
  const busy = tab();
  busy.note(true);
  assert.equal(await tab().wasKilled(false), false);
  busy.note(false);
  busy.dies();
  assert.equal(await tab().wasKilled(false), false);
});

test("a browser that keeps nothing, or damages what it keeps, measures anew", async () => {
  const forbidding = { getItem() { throw new Error("SecurityError"); }, setItem() { throw new Error("QuotaExceededError"); }, removeItem() { throw new Error("no"); } };
  for (const storage of [null, forbidding]) {
    const memory = deviceMemory(/** @type {any} */ ({ storage, locks: null, agent: "", now: () => 0 }), "scenes");
    memory.remember(MEASURED);
    memory.note(true);
    assert.equal(memory.measured(), null);
    assert.equal(await memory.wasKilled(false), false);
  }
  const { tab, stored } = browser();
  tab().remember(MEASURED);
  for (const key of stored.keys()) stored.set(key, "{");
  assert.equal(tab().measured(), null);
  for (const key of stored.keys()) stored.set(key, JSON.stringify({ agent: "Browser 1", model: "scenes", at: 1000, measured: { adapter: "x" } }));
  assert.equal(tab().measured(), null);
});
