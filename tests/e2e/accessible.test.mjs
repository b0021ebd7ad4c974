// The page before anything is drawn: in light and dark, wide and narrow, embedded, and with a keyboard alone.

import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { visiting } from "./visit.mjs";

describe("the empty page", { timeout: 300_000 }, () => {
  const visit = visiting("cpu");

  for (const colorScheme of /** @type {const} */ (["light", "dark"])) {
    for (const [width, query] of /** @type {const} */ ([[1280, ""], [360, ""], [480, "?embed"]])) {
      test(`${colorScheme}, ${width} pixels wide${query && ", embedded"}: nothing that axe finds, nothing that sticks out`, async () => {
        const page = await visit.open(visit.address + query, { colorScheme, viewport: { width, height: 800 } });
        try {
          assert.deepEqual(await page.inaccessible(), []);
          const wide = await page.page.evaluate(() => document.documentElement.scrollWidth);
          assert.ok(wide <= width, `the page is ${wide} pixels wide`);
        } finally {
          await page.close();
        }
      });
    }
  }

  test("every control can be reached by Tab, and Enter in the prompt draws", async () => {
    const page = await visit.open();
    try {
      await page.loaded();
      const reached = new Set();
      for (let count = 0; count < 150; count += 1) {
        await page.page.keyboard.press("Tab");
        reached.add(await page.page.evaluate(() => document.activeElement?.id));
      }
      for (const id of ["prompt", "draw", "verifier", "candidates", "steps", "seed", "guidance", "reflection"]) assert.ok(reached.has(id), `${id} is not reached`);
      await page.set({ prompt: "a star", steps: 1, candidates: 1, verifier: "none" });
      await page.page.locator("#prompt").press("Enter");
      await page.page.waitForFunction(() => /** @type {any} */ (window).showo.events.length > 0);
      await page.idle();
    } finally {
      await page.close();
    }
  });
});
