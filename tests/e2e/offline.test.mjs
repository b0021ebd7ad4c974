// A second visit without a network: the page, the engine and the weights are kept, and a picture is drawn.

import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { ofType } from "./trace_checks.mjs";
import { visiting } from "./visit.mjs";

describe("without a network", { timeout: 300_000 }, () => {
  const visit = visiting("cpu");

  test("a second visit loads and draws", async () => {
    const page = await visit.open();
    await page.loaded();
    await page.page.evaluate(() => navigator.serviceWorker.ready);
    // Not only the browser's switch: there is nobody left to answer.
    visit.endServing();
    await assert.rejects(fetch(visit.address));
    await page.page.reload();
    await page.loaded();
    await page.set({ prompt: "a red circle", seed: 1, steps: 2, candidates: 1, verifier: "none", reflection: false });
    const events = await page.draw();
    assert.equal(ofType(events, "step").length, 2);
    await page.close();
  });
});
