// The world of things in the page: what is typed is read, drawn, judged twice and explained, and whose drawings it learnt
// from is named.

import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";

import { assertAlike, assertNotBlank, decodeNatively } from "./pictures.mjs";
import { DIST } from "./places.mjs";
import { assertSteps, ofType } from "./trace_checks.mjs";
import { visiting } from "./visit.mjs";

const BUNDLE = join(DIST, "models/icons");
const skip = existsSync(join(BUNDLE, "manifest.json")) ? false : "the build holds no models/icons";

/** Few steps: what is drawn is looked at elsewhere. */
const QUICK = { seed: 3, steps: 3, candidates: 2, verifier: "none", reflection: false };

describe("the world of things", { timeout: 600_000, skip }, () => {
  const visit = visiting("cpu");
  const open = () => visit.open(`${visit.address}?model=icons`);

  test("a picture is drawn, read from what was typed, and judged by both rules", async (t) => {
    const page = await open();
    await page.loaded();
    const model = await page.state("model");
    assert.deepEqual([model.grid, model.image_side_px], [16, 128]);
    assert.equal(await page.page.locator("#patch-grid").getAttribute("max"), "16");
    assert.match(await page.page.getByTestId("example").last().innerText(), /dining table/);
    assert.ok(model.attribution.length > 0, "nobody is named");
    for (const line of model.attribution) assert.ok((await page.page.locator("#foot").innerText()).includes(line), line);

    await page.set({ ...QUICK, prompt: "purple SOFA and a black table" });
    const events = await page.draw();
    const [{ settings, notes, grid }] = ofType(events, "started");
    assert.equal(settings.prompt, "a photo of a purple couch and a black dining table");
    assert.equal(notes?.length, 2);
    assert.match(await page.page.locator("#picture-notes").innerText(), /“sofa” is read as “couch”\./i);
    assert.equal(grid, 16);
    assertSteps(ofType(events, "step"), { count: 3, candidates: 1, scored: false });
    const [{ tokens, verdict, unchecked, totals }] = ofType(events, "finished");
    assert.equal(tokens.length, 256);
    assert.equal(unchecked ?? null, null);
    assert.ok(verdict, "the checker says nothing");
    assert.equal(typeof verdict.exact, "boolean");
    assert.match(await page.page.locator("#verdict").innerText(), /GenEval/);
    t.diagnostic(`${verdict.sentence}; ${totals.seconds.toFixed(1)} s for ${totals.generator_forwards} forwards`);
    const canvas = await page.canvas();
    assertNotBlank(canvas);
    assertAlike(canvas, await page.pixels(await decodeNatively(tokens, BUNDLE)), "the canvas and the native decoder");

    // What the checker was made for once, it has for the next picture.
    await page.set({ seed: 4 });
    const begin = Date.now();
    const [{ totals: again }] = ofType(await page.draw(), "finished");
    t.diagnostic(`the second picture was judged ${((Date.now() - begin) / 1000 - again.seconds).toFixed(2)} s after it was drawn`);
    assert.deepEqual(page.faults, []);
    await page.close();
  });

  test("candidates are shown small, and the one that is looked at as the tokenizer shows it", async (t) => {
    const page = await open();
    await page.loaded();
    await page.set({ ...QUICK, prompt: "a giraffe", previews: true });
    const steps = ofType(await page.draw(), "step");
    const [{ preview, sampled }] = steps[1].candidates;
    assert.ok(preview, "the step has no preview");
    if (preview.width_px === 128) return t.skip("the bundle has no preview decoder");
    assert.equal(preview.width_px, 64);
    await page.page.locator("#time-axis").fill("1");
    // The finished picture, which was there before, is as large.
    await page.page.waitForFunction(() => {
      const { dataset, width } = /** @type {HTMLCanvasElement} */ (document.querySelector("#picture"));
      return dataset.shows === "moment 1" && width === 128;
    });
    const large = await page.pixels(await decodeNatively(sampled, BUNDLE));
    assertAlike(await page.canvas("moment 1"), large, "the canvas and the native decoder");
    assert.deepEqual(page.faults, []);
    await page.close();
  });

  test("what it does not know is named, with near words a click away", async () => {
    const page = await open();
    await page.loaded();
    for (const [prompt, pattern] of /** @type {[string, RegExp][]} */ ([
      ["five dogs", /at most 4/], ["a dog left of a cat above a bench", /relation/], ["a purple dgo", /dgo/]])) {
      await page.set({ ...QUICK, prompt });
      await page.press();
      assert.match(await page.refusal(), pattern);
      await page.idle();
    }
    await page.page.locator("#error").getByRole("button", { name: "dog", exact: true }).click();
    assert.equal(await page.page.locator("#prompt").inputValue(), "a purple dog");
    await page.close();
  });

  test("a second visit without a network draws and judges", async () => {
    const page = await open();
    await page.loaded();
    await page.page.evaluate(() => navigator.serviceWorker.ready);
    visit.endServing();
    await page.page.reload();
    await page.loaded();
    await page.set({ ...QUICK, prompt: "a giraffe", steps: 2 });
    const [{ verdict }] = ofType(await page.draw(), "finished");
    assert.ok(verdict, "the checker's drawings were not kept");
    await page.close();
  });
});
