// Drawing on WebGPU, as a visitor does it: one page, one drawing after the other.

import assert from "node:assert/strict";
import { before, describe, test } from "node:test";

import { assertAlike, assertNotBlank, decodeNatively } from "./pictures.mjs";
import { assertSteps, ofType, timeless, types } from "./trace_checks.mjs";
import { visiting } from "./visit.mjs";

/** From the address to the finished picture, on two cores without a graphics card. */
const LIMIT_SECONDS = 120;
/** The page answers within this, whatever the engine does. */
const LONGEST_PAUSE_MS = 1000;

/** τ at the highest score there is, so that there is always something weak; ε = 0, so that the round is not cut short. */
const REFLECTING = { reflection: true, tau: 2.5, epsilon: 0, rounds: 1, "patch-grid": 4, accept: "every" };
const FULL = { prompt: "a red circle and a blue square", seed: 7, steps: 8, candidates: 2, verifier: "parm", guidance: 2, ...REFLECTING };
const SHORT = { ...FULL, prompt: "a star", seed: 11, steps: 4, reflection: false };

/** What `SHORT` and the like fill in: fields of a section that is not shown cannot be filled. @param {Record<string, any>} settings */
function shown(settings) {
  if (settings.reflection) return settings;
  const hidden = ["tau", "epsilon", "rounds", "patch-grid", "accept"];
  return Object.fromEntries(Object.entries(settings).filter(([id]) => !hidden.includes(id)));
}

describe("drawing on WebGPU", { timeout: 900_000 }, () => {
  const visit = visiting("webgpu");
  /** @type {Awaited<ReturnType<typeof visit.open>>} */
  let page;
  let opened = 0;

  before(async () => {
    opened = performance.now();
    page = await visit.open();
    await page.loaded();
  });

  test("the device is named", async () => {
    assert.equal((await page.state("device")).kind, "webgpu");
    assert.match(await page.page.locator("#device").innerText(), /^WebGPU: \S/);
  });

  test(`a prompt becomes a picture, with k = 2, 8 steps and a round of reflection, within ${LIMIT_SECONDS} s`, async (t) => {
    await page.set(shown(FULL));
    const stopBeat = await page.heartbeat();
    const events = await page.draw();
    const [pause, seconds] = [await stopBeat(), (performance.now() - opened) / 1000];
    t.diagnostic(`from the address to the picture: ${seconds.toFixed(1)} s; longest pause of the page: ${pause.toFixed(0)} ms`);

    const steps = ofType(events, "step");
    assert.deepEqual(types(events), ["started", ...steps.map(() => "step"), "image", "reflection", "reflection_ended", "finished"]);
    assertSteps(steps, { count: 8, candidates: 2, scored: true });

    const [started] = ofType(events, "started");
    assert.equal(started.settings.prompt, FULL.prompt);
    assert.ok(started.prompt_ids.length > 0);
    assert.equal(steps[0].known_before.length, started.grid ** 2);

    const [image] = ofType(events, "image");
    const last = /** @type {typeof steps[0]} */ (steps.at(-1));
    assert.deepEqual(image.tokens, last.candidates[last.chosen].tokens);

    const [round] = ofType(events, "reflection");
    assert.equal(round.round, 1);
    assert.equal(round.patch_scores.length, 16);
    assert.ok(round.weak.some(Boolean), "nothing was weak");
    assert.ok(round.kept, "every round is kept under the rule `every`");
    const [ended] = ofType(events, "reflection_ended");
    assert.deepEqual([ended.reason, ended.rounds], ["rounds_spent", 1]);

    const [finished] = ofType(events, "finished");
    assert.deepEqual(finished.tokens, round.tokens_after);
    assert.ok(finished.verdict, "the checker says nothing");
    assert.ok((await page.page.locator("#verdict").innerText()).includes(finished.verdict.sentence.replace(/\.$/, "").slice(1)));

    assert.ok(pause < LONGEST_PAUSE_MS, `the page stood still for ${pause.toFixed(0)} ms`);
    assert.ok(seconds < LIMIT_SECONDS, `it took ${seconds.toFixed(1)} s`);
  });

  test("the canvas shows the trace's picture, which is what its tokens decode to natively", async () => {
    const [{ picture, tokens }] = ofType(await page.events(), "finished");
    const canvas = await page.canvas();
    assert.deepEqual([canvas.width, canvas.height], [picture.width_px, picture.height_px]);
    assertNotBlank(canvas);
    assertAlike(canvas, await page.pixels(picture.png_base64), "the canvas and the trace");
    assertAlike(canvas, await page.pixels(await decodeNatively(tokens)), "the canvas and the native decoder");
  });

  test("the time axis goes back to any step", async () => {
    const events = await page.events();
    const axis = page.page.locator("#time-axis");
    await axis.fill("0");
    const first = ofType(events, "step")[0].candidates[ofType(events, "step")[0].chosen].preview;
    assert.ok(first, "the first step has no preview");
    assertAlike(await page.canvas("moment 0"), await page.pixels(first.png_base64), "the canvas and the first step's preview");
    await axis.fill(/** @type {string} */ (await axis.getAttribute("max")));
    assertAlike(await page.canvas(), await page.pixels(ofType(events, "finished")[0].picture.png_base64), "the canvas and the picture");
  });

  test("the page with a drawing on it is accessible", async () => {
    assert.deepEqual(await page.inaccessible(), []);
  });

  test("a second drawing follows, and the same seed gives the same drawing again", async () => {
    await page.set(shown(SHORT));
    const first = await page.draw();
    assert.equal(ofType(first, "started")[0].settings.prompt, SHORT.prompt);
    assertSteps(ofType(first, "step"), { count: 4, candidates: 2, scored: true });
    const again = await page.draw();
    assert.deepEqual(timeless(again), timeless(first));
    await page.set({ seed: 12 });
    const other = await page.draw();
    assert.notDeepEqual(ofType(other, "finished")[0].tokens, ofType(first, "finished")[0].tokens, "another seed gives the same picture");
  });

  test("Stop ends it within one step, and it can go on", async () => {
    const count = 24;
    await page.set(shown({ ...SHORT, steps: count }));
    await page.press();
    await page.page.waitForFunction(() => /** @type {any} */ (window).showo.events.filter((/** @type {any} */ event) => event.type === "step").length >= 2);
    const atStop = await page.page.evaluate(() => {
      /** @type {HTMLButtonElement} */ (document.querySelector("#stop")).click();
      return /** @type {any} */ (window).showo.events.filter((/** @type {any} */ event) => event.type === "step").length;
    });
    await page.idle();
    const events = await page.events();
    const drawn = ofType(events, "step").length;
    assert.ok(drawn <= atStop + 1 && drawn < count, `${drawn - atStop} steps came after Stop`);
    assert.deepEqual(events.at(-1), { type: "cancelled", next_step: drawn });

    await page.page.locator("#go-on").click();
    await page.idle();
    const whole = await page.events();
    assertSteps(ofType(whole, "step"), { count, candidates: 2, scored: true });
    assert.equal(whole.at(-1)?.type, "finished");
  });

  test("the kernels compute what they should", async () => {
    assert.ok((await page.selfTest()).length > 0);
  });

  test("nothing was thrown or logged as an error", () => {
    assert.deepEqual(page.faults, []);
  });
});
