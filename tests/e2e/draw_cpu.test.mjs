// A browser without WebGPU draws too, on the CPU, and says so.

import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { assertAlike, assertNotBlank, decodeNatively } from "./pictures.mjs";
import { assertSteps, ofType } from "./trace_checks.mjs";
import { visiting } from "./visit.mjs";

describe("without WebGPU", { timeout: 600_000 }, () => {
  const visit = visiting("cpu");

  test("a picture is drawn on the CPU, the page says why, and the kernels compute what they should", async (t) => {
    const page = await visit.open();
    await page.loaded();
    assert.equal((await page.state("device")).kind, "cpu");
    assert.match(await page.page.locator("#device").innerText(), /^CPU: .*WebGPU/);

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

  test("aligned weights are fetched when they are asked for, and draw other pictures", async () => {
    const page = await visit.open();
    /** @type {string[]} */
    const fetched = [];
    page.page.on("request", (request) => fetched.push(request.url()));
    await page.loaded();
    await page.set({ prompt: "a star and a moon", steps: 4, candidates: 1, verifier: "none", reflection: false });
    // Weights that differ little draw the same from some seeds: the noise is the same.
    const pictures = async (/** @type {string} */ generator) => {
      const tokens = [];
      await page.set({ generator });
      for (const seed of [3, 4, 5, 6, 7, 8]) {
        await page.set({ seed });
        tokens.push(ofType(await page.draw(), "finished")[0].tokens);
      }
      return tokens;
    };
    const base = await pictures("base");
    const ofDpo = () => fetched.filter((address) => address.includes("showo-dpo-0"));
    assert.deepEqual(ofDpo(), [], "nobody asked for them yet");
    const tuned = await pictures("dpo");
    assert.equal(ofDpo().length, 1, "fetched once for all pictures");
    assert.notDeepEqual(tuned, base);
    assert.deepEqual(await pictures("base"), base);
    assert.deepEqual(page.faults, []);
    await page.close();
  });

  test("of several pictures PARM gives up the ones that it no longer expects to succeed", async () => {
    const page = await visit.open();
    await page.loaded();
    await page.set({ prompt: "a star and a moon", seed: 3, steps: 6, candidates: 3, verifier: "parm-paths", reflection: false });
    const events = await page.draw();
    const steps = ofType(events, "step");
    assert.ok(steps.every((step) => step.candidates.length === 1));
    const judged = steps.flatMap((step) => step.candidates[0].score ?? []);
    const [{ totals }] = ofType(events, "finished");
    assert.deepEqual([totals.generator_forwards, totals.reward_forwards], [steps.length, judged.length]);
    const [{ path }] = ofType(events, "path_chosen");
    assert.ok(ofType(events, "image").some((image) => image.path === path));
    assert.deepEqual(page.faults, []);
    await page.close();
  });

  test("a measured strategy fills in how it draws, and leaves the prompt and the seed alone", async () => {
    // A phone, where the settings are folded.
    const page = await visit.open(`${visit.address}#seed=12`, { viewport: { width: 390, height: 844 } });
    await page.loaded();
    await page.set({ prompt: "a star" });
    assert.equal(await page.page.locator("#verifier").isVisible(), false);
    await page.page.getByTestId("way").filter({ hasText: "whole picture if doubted" }).click();
    const { prompt, seed, reflection, ...way } = await page.formValues(["prompt", "seed", "verifier", "candidates", "reflection", "tau", "rounds", "accept"]);
    assert.deepEqual([prompt, seed, reflection], ["a star", "12", true]);
    assert.deepEqual(way, { verifier: "parm", candidates: "4", tau: "1.8", rounds: "4", accept: "if-doubted" });
    assert.ok(await page.page.locator("#tau").isVisible(), "what was filled in is to be seen");
    const [{ settings }] = ofType(await page.draw(), "started");
    assert.equal(settings.reflection?.accept, "if-doubted");
    assert.deepEqual(page.faults, []);
    await page.close();
  });

  test("the drawings that the page links to turn out as it says", async (t) => {
    const page = await visit.open();
    await page.loaded();
    for (const what of ["PARM saved it", "Reflection mended it"]) {
      await page.page.locator("[data-testid=found]", { hasText: what }).first().click();
      const drawn = await page.draw();
      const [{ verdict, totals }] = ofType(drawn, "finished");
      t.diagnostic(`${what}: ${verdict?.sentence}; ${totals.seconds.toFixed(1)} s`);
      assert.equal(verdict?.accepted, true, what);
    }
    assert.ok(ofType(await page.events(), "reflection").some((round) => round.kept), "a round was kept");
    assert.deepEqual(page.faults, []);
    await page.close();
  });
});
