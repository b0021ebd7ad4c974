// The graphics device goes away in mid-draw: the browser's GPU process is killed, as a driver's crash would.

import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { assertSteps, ofType } from "./trace_checks.mjs";
import { visiting } from "./visit.mjs";

const STEPS = 6;
const SETTINGS = { prompt: "a red circle", seed: 5, steps: STEPS, candidates: 2, verifier: "parm", guidance: 2, reflection: false };

describe("a lost device", { timeout: 600_000 }, () => {
  const visit = visiting("webgpu");

  test("the page says so, keeps what was drawn, and the picture goes on", async () => {
    const page = await visit.open();
    await page.loaded();
    assert.equal((await page.state("device")).kind, "webgpu");
    await page.set(SETTINGS);
    await page.press();
    await page.page.waitForFunction(
      () => /** @type {any} */ (window).showo.events.filter((/** @type {any} */ event) => event.type === "step").length >= 2, null, { timeout: 120_000 });

    const debuggers = await visit.browser.newBrowserCDPSession();
    // The answer may never come: the process that is asked to die is the one that would help to give it.
    debuggers.send("Browser.crashGpuProcess").catch(() => {});
    const words = await page.refusal();
    await page.idle();
    assert.match(words, /device was lost before step \d/);
    assert.match(words, /go on/i);
    const kept = ofType(await page.events(), "step").length;
    assert.ok(kept >= 2 && kept < STEPS, `${kept} steps are kept`);

    await page.page.locator("#go-on").click();
    await page.idle();
    assert.equal(await page.errorWords(), "", "going on fails");
    const events = await page.events();
    assertSteps(ofType(events, "step"), { count: STEPS, candidates: 2, scored: true });
    assert.equal(events.at(-1)?.type, "finished");
    await page.close();
  });
});
