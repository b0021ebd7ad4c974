// A second visit without a network: the page, the engine and the weights are kept, and a picture is drawn.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { launch } from "./browser.mjs";
import { serve } from "./server.mjs";
import { ShowoPage } from "./showo_page.mjs";
import { ofType } from "./trace_checks.mjs";

describe("without a network", { timeout: 300_000 }, () => {
  /** @type {import("playwright-core").Browser} */
  let browser;

  before(async () => {
    browser = await launch("cpu");
  });
  after(async () => {
    await browser?.close();
  });

  test("a second visit loads and draws", async () => {
    const site = await serve();
    const page = await ShowoPage.open(browser, site.address);
    try {
      await page.loaded();
      await page.page.evaluate(() => navigator.serviceWorker.ready);
    } finally {
      // Not only the browser's switch: there is nobody left to answer.
      site.close();
    }
    await assert.rejects(fetch(site.address));
    await page.page.reload();
    await page.loaded();
    await page.set({ prompt: "a red circle", seed: 1, steps: 2, candidates: 1, verifier: "none", reflection: false });
    const events = await page.draw();
    assert.equal(ofType(events, "step").length, 2);
    await page.close();
  });
});
