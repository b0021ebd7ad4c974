// The harness itself: a test that passes because a fault was never injected, or because WebGPU was there after all,
// would say nothing.

import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";

import { launch } from "./browser.mjs";
import { assertAlike, assertNotBlank, difference } from "./pictures.mjs";
import { flipped, missing, serve, serveDamaged, truncated } from "./server.mjs";

describe("the harness", () => {
  /** @type {string} */
  let folder;
  /** @type {Awaited<ReturnType<typeof serve>>} */
  let site;
  const shard = Buffer.from(Array.from({ length: 1000 }, (_, index) => index % 251));

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "showo-e2e-"));
    await writeFile(join(folder, "index.html"), "<!doctype html><title>page</title>");
    await writeFile(join(folder, "one.safetensors"), shard);
    await writeFile(join(folder, "two.safetensors"), shard);
    site = await serve(folder);
  });
  after(async () => {
    site.close();
    await rm(folder, { recursive: true, force: true });
  });

  /** @param {string} address @param {Record<string, string>} [headers] */
  const bytes = async (address, headers = {}) => Buffer.from(await (await fetch(address, { headers })).arrayBuffer());

  for (const [change, expected] of /** @type {const} */ ([[flipped, flipped(shard)], [truncated, shard.subarray(0, 500)]])) {
    test(`the proxy serves one file ${change.name}`, async () => {
      const faults = [{ match: /\.safetensors$/, change, once: true }];
      const proxy = await serveDamaged(site.address, faults);
      try {
        assert.deepEqual(await bytes(`${proxy.address}two.safetensors`), expected);
        assert.deepEqual(await bytes(`${proxy.address}one.safetensors`), shard, "only the first is the victim");
        assert.deepEqual(await bytes(`${proxy.address}two.safetensors`), expected, "asking again does not help");
        assert.deepEqual(await bytes(`${proxy.address}two.safetensors`, { Range: "bytes=490-" }), expected.subarray(490));
        assert.equal(/** @type {any} */ (faults[0]).victim, "/two.safetensors");
      } finally {
        proxy.close();
      }
    });
  }

  test("the proxy hides a file", async () => {
    const proxy = await serveDamaged(site.address, [{ match: /one/, change: missing }]);
    try {
      assert.equal((await fetch(`${proxy.address}one.safetensors`)).status, 404);
      assert.match((await bytes(proxy.address)).toString(), /page/);
    } finally {
      proxy.close();
    }
  });

  test("pictures are told apart", () => {
    const picture = (/** @type {(index: number) => number} */ value) => ({
      width: 8, height: 8, rgba: Array.from({ length: 256 }, (_, index) => (index % 4 === 3 ? 255 : value(index))),
    });
    assert.deepEqual(difference(picture(() => 9), picture(() => 12)), { mean: 3, highest: 3 });
    assertAlike(picture(() => 9), picture(() => 10), "nearly the same");
    assert.throws(() => assertAlike(picture(() => 9), picture((index) => (index === 0 ? 90 : 9)), "one pixel off"), /one pixel off/);
    assert.throws(() => assertNotBlank(picture(() => 9)), /1 colours/);
    assertNotBlank(picture((index) => index));
  });

  for (const kind of /** @type {const} */ (["webgpu", "cpu"])) {
    test(`the ${kind} browser ${kind === "webgpu" ? "has" : "lacks"} a WebGPU adapter`, { timeout: 120_000 }, async () => {
      const browser = await launch(kind);
      try {
        const page = await browser.newPage();
        await page.goto(site.address);
        const adapter = await page.evaluate(async () => Boolean(await /** @type {any} */ (navigator).gpu?.requestAdapter()));
        assert.equal(adapter, kind === "webgpu");
      } finally {
        await browser.close();
      }
    });
  }
});
