// Stop answers within a step, whatever is going on.

import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { serveDamaged } from "./server.mjs";
import { visiting } from "./visit.mjs";

/** Longer than a step on a busy machine, and much less than what is stopped would take. */
const LIMIT_MS = 5000;

const SETTINGS = { prompt: "a star and a moon", seed: 3, steps: 8, candidates: 2, verifier: "parm", generator: "base", reflection: false };
const same = (/** @type {Buffer} */ bytes) => bytes;

/** @param {import("./showo_page.mjs").ShowoPage} page */
async function stops(page) {
  const begin = performance.now();
  await page.page.locator("#stop").click();
  await page.idle(60_000);
  const took = performance.now() - begin;
  assert.ok(took < LIMIT_MS, `it stopped after ${took.toFixed(0)} ms`);
}

/** @param {import("./showo_page.mjs").ShowoPage} page @param {string} type */
function saw(page, type) {
  return page.page.waitForFunction((type) => /** @type {any} */ (window).showo.events.some((/** @type {any} */ event) => event.type === type), type, { timeout: 120_000 });
}

describe("stop", { timeout: 600_000 }, () => {
  const visit = visiting("cpu");

  test("while the model is fetched, from a server that does not answer", async () => {
    const damaged = await serveDamaged(visit.address, [{ match: /showo-000\.safetensors$/, change: same, hangs: true }]);
    const page = await visit.open(damaged.address);
    try {
      await page.set(SETTINGS);
      await page.press();
      await page.page.waitForFunction(() => /** @type {any} */ (window).showo.state.waiting);
      await stops(page);
      assert.equal(await page.errorWords(), "");
    } finally {
      await page.close();
      damaged.close();
    }
  });

  test("while other weights are fetched, from a server that does not answer; afterwards it draws", async () => {
    const damaged = await serveDamaged(visit.address, [{ match: /showo-dpo-000\.safetensors$/, change: same, hangs: true }]);
    const page = await visit.open(damaged.address);
    try {
      await page.loaded();
      await page.set({ ...SETTINGS, generator: "dpo" });
      await page.press();
      await page.page.waitForFunction(() => /** @type {any} */ (window).showo.state.run === "drawing");
      await stops(page);
      await page.set({ ...SETTINGS, generator: "base", steps: 2 });
      assert.equal((await page.draw()).at(-1)?.type, "finished");
    } finally {
      await page.close();
      damaged.close();
    }
  });

  test("while it draws with many candidates, judges them, and reflects; each time it goes on", async () => {
    const page = await visit.open();
    try {
      await page.loaded();
      await page.set({ ...SETTINGS, candidates: 4, steps: 6, reflection: true });
      await page.set({ tau: 2.5, rounds: 10, epsilon: 0, accept: "every" });
      await page.press();
      await saw(page, "step");
      await stops(page);
      assert.ok(!(await page.events()).some(({ type }) => type === "finished"));
      await page.page.locator("#go-on").click();
      await saw(page, "reflection");
      await stops(page);
      const events = await page.events();
      assert.ok(!events.some(({ type }) => type === "finished"), "it stopped in the middle of its rounds");
      await page.page.locator("#go-on").click();
      await page.idle();
      assert.equal((await page.events()).at(-1)?.type, "finished");
    } finally {
      await page.close();
    }
  });
});
