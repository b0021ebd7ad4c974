// Another maker's browser draws the same picture: on the processor, and on its own WebGPU.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { launchFirefox, openInFirefox } from "./firefox.mjs";
import { FIREFOX } from "./places.mjs";
import { serve } from "./server.mjs";

const HASH = "#prompt=a+red+circle&seed=5&steps=4&candidates=2&verifier=parm&reflection=0";

describe("Firefox", { timeout: 900_000, skip: FIREFOX ? false : "there is no Firefox here" }, () => {
  /** @type {Awaited<ReturnType<typeof serve>>} */
  let site;
  /** @type {number[] | undefined} */
  let tokens;

  before(async () => { site = await serve(); });
  after(() => site.close());

  for (const kind of /** @type {const} */ (["cpu", "webgpu"])) {
    test(`draws on ${kind === "cpu" ? "the processor" : "WebGPU"}`, async (t) => {
      const browser = await launchFirefox(kind);
      try {
        const page = await openInFirefox(browser, `${site.address}${kind === "webgpu" ? "?device=webgpu" : ""}${HASH}`);
        assert.equal(await page.said(), "");
        const device = await page.state("device");
        t.diagnostic(`${device.words}${device.why ? `: ${device.why}` : ""}`);
        assert.equal(device.kind, kind);
        const events = await page.draw();
        assert.equal(events.at(-1).type, "finished", await page.said());
        tokens ??= events.at(-1).tokens;
        assert.deepEqual(events.at(-1).tokens, tokens, "the two devices draw different pictures");
        assert.deepEqual(page.faults, []);
      } finally {
        await browser.close();
      }
    });
  }

  test("of both devices it takes the faster one, or the one that works", async (t) => {
    const browser = await launchFirefox("webgpu");
    try {
      const page = await openInFirefox(browser, `${site.address}${HASH}`);
      const device = await page.state("device");
      t.diagnostic(`${device.words}: ${device.why}; ${JSON.stringify(device.measured)}`);
      assert.ok(device.kind === "webgpu" || device.why);
      assert.equal((await page.draw()).at(-1).type, "finished", await page.said());
    } finally {
      await browser.close();
    }
  });
});
