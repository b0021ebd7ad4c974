// An engine that traps: the page says so, starts it again, and draws.

import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { visiting } from "./visit.mjs";

/** `(module (func (export "trap") unreachable))`: what a panic comes down to. */
const TRAP = [
  0, 97, 115, 109, 1, 0, 0, 0, 1, 4, 1, 96, 0, 0, 3, 2, 1, 0, 7, 8, 1, 4, 116, 114, 97, 112, 0, 0, 10, 5, 1, 3, 0, 0, 11,
];

describe("an engine that traps", { timeout: 600_000 }, () => {
  const visit = visiting("cpu");

  for (const where of /** @type {const} */ (["a task", "a promise"])) {
    test(`a trap in ${where} during a drawing leaves a page that draws again`, async () => {
      const page = await visit.open();
      try {
        await page.loaded();
        await page.set({ prompt: "a star", seed: 1, steps: 24, candidates: 1, verifier: "none", reflection: false });
        await page.press();
        await page.page.waitForFunction(() => /** @type {any} */ (window).showo.events.some((/** @type {any} */ event) => event.type === "step"));
        const [worker] = page.page.workers();
        await worker.evaluate(({ bytes, where }) => {
          const { trap } = new WebAssembly.Instance(new WebAssembly.Module(new Uint8Array(bytes))).exports;
          const call = /** @type {() => void} */ (trap);
          if (where === "a task") setTimeout(call);
          else void Promise.resolve().then(call);
        }, { bytes: TRAP, where });

        assert.match(await page.refusal(), /stopped by a fault of its own \(.*unreachable.*\) and is starting again.*draw again/s);
        assert.equal(await page.state("run"), "idle");
        assert.ok((await page.events()).length > 0, "what was drawn stays");
        await page.page.waitForFunction(() => /** @type {any} */ (window).showo.state.verifiersSettled, null, { timeout: 180_000 });
        assert.equal(await page.state("engine"), "ready");
        await page.set({ steps: 2 });
        assert.equal((await page.draw()).at(-1)?.type, "finished");
      } finally {
        await page.close();
      }
    });
  }
});
