// A browser without WebGPU draws too, on the CPU, and says so.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { launch } from "./browser.mjs";
import { assertAlike, assertNotBlank, decodeNatively } from "./pictures.mjs";
import { serve } from "./server.mjs";
import { ShowoPage } from "./showo_page.mjs";
import { assertSteps, ofType } from "./trace_checks.mjs";

describe("without WebGPU", { timeout: 600_000 }, () => {
  /** @type {Awaited<ReturnType<typeof serve>>} */
  let site;
  /** @type {import("playwright-core").Browser} */
  let browser;

  before(async () => {
    site = await serve();
    browser = await launch("cpu");
  });
  after(async () => {
    await browser?.close();
    site?.close();
  });

  test("a picture is drawn on the CPU, the page says why, and the kernels compute what they should", async (t) => {
    const page = await ShowoPage.open(browser, site.address);
    await page.loaded();
    assert.equal((await page.state("device")).kind, "cpu");
    assert.match(await page.page.locator("#device").innerText(), /^CPU, slower: .*WebGPU/);

    await page.set({ prompt: "a green triangle", seed: 3, steps: 4, candidates: 2, verifier: "parm", reflection: false });
    const stopBeat = await page.heartbeat();
    const events = await page.draw();
    const pause = await stopBeat();
    assertSteps(ofType(events, "step"), { count: 4, candidates: 2, scored: true });
    const [{ tokens, totals }] = ofType(events, "finished");
    t.diagnostic(`4 steps with 2 candidates: ${totals.seconds.toFixed(1)} s; longest pause of the page: ${pause.toFixed(0)} ms`);
    const canvas = await page.canvas();
    assertNotBlank(canvas);
    assertAlike(canvas, await page.pixels(await decodeNatively(tokens)), "the canvas and the native decoder");
    assert.ok(pause < 1000, `the page stood still for ${pause.toFixed(0)} ms`);
    assert.ok((await page.selfTest()).length > 0);
    assert.deepEqual(page.faults, []);
    await page.close();
  });
});
