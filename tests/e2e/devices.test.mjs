// Whatever WebGPU offers, lacks or does, the page draws: on the device where it works, else on the processor, and it says why.
//
// What no browser here does by itself is done to WebGPU in the page's worker, before the engine looks at it.

import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { ofType } from "./trace_checks.mjs";
import { visiting } from "./visit.mjs";

const SETTINGS = { prompt: "a red circle", seed: 5, steps: 3, candidates: 1, verifier: "none", guidance: 2, reflection: false };
const STEPS = { ...SETTINGS, steps: 12 };

/**
 * A page whose worker begins with these lines.
 *
 * @param {import("./visit.mjs").Visit} visit
 * @param {string} lines
 * @param {string} [query]
 */
async function tampered(visit, lines, query = "?device=webgpu") {
  const page = await visit.open("about:blank");
  await page.page.context().route("**/worker.js", async (route) => {
    const answer = await route.fetch();
    await route.fulfill({ response: answer, body: `${lines}\n${await answer.text()}` });
  });
  await page.page.goto(visit.address + query);
  return page;
}

/** Results stop coming back once the worker's `hangs` is set. */
const MAY_HANG = `
  const map = GPUBuffer.prototype.mapAsync;
  self.hangs = false;
  GPUBuffer.prototype.mapAsync = function (...given) { return self.hangs ? new Promise(() => {}) : map.apply(this, given); };`;

/** Begins a drawing of many steps and comes back after the first. @param {import("./showo_page.mjs").ShowoPage} page */
async function inTheMiddle(page) {
  await page.loaded();
  await page.set(STEPS);
  await page.press();
  await page.page.waitForFunction(() => /** @type {any} */ (window).showo.events.some((/** @type {any} */ event) => event.type === "step"), null, { timeout: 120_000 });
}

/** What a browser may lack without being unfit. @type {[string, string][]} */
const HARMLESS = [
  ["adapters and devices say nothing of themselves", `
    Object.defineProperty(GPUAdapter.prototype, "info", { get: () => undefined });
    Object.defineProperty(GPUDevice.prototype, "adapterInfo", { get: () => undefined });`],
  ["an adapter offers no feature and no more than the specification's limits", `
    const names = Object.getOwnPropertyNames(GPUSupportedLimits.prototype).filter((name) => /^m(ax|in)/.test(name));
    const limits = Object.getOwnPropertyDescriptor(GPUAdapter.prototype, "limits").get;
    const least = { maxStorageBufferBindingSize: 134217728, maxBufferSize: 268435456, maxStorageBuffersPerShaderStage: 8, maxComputeWorkgroupStorageSize: 16384,
      maxComputeInvocationsPerWorkgroup: 256, maxComputeWorkgroupSizeX: 256, maxComputeWorkgroupSizeY: 256, maxComputeWorkgroupSizeZ: 64 };
    Object.defineProperty(GPUAdapter.prototype, "limits", { get() {
      const real = limits.call(this);
      return Object.fromEntries(names.map((name) => [name, least[name] ?? real[name]]));
    } });
    Object.defineProperty(GPUAdapter.prototype, "features", { get: () => new Set() });`],
  ["a limit's name is unknown", `
    const limits = Object.getOwnPropertyDescriptor(GPUAdapter.prototype, "limits").get;
    Object.defineProperty(GPUAdapter.prototype, "limits", { get() {
      const real = limits.call(this);
      return { maxBufferSize: real.maxBufferSize, maxStorageBufferBindingSize: real.maxStorageBufferBindingSize };
    } });`],
];

/** What makes a graphics device unfit, and what is then said. @type {[string, string, RegExp][]} */
const UNFIT = [
  ["requestAdapter never settles", "navigator.gpu.requestAdapter = () => new Promise(() => {});", /did not answer within 10 s/],
  ["requestAdapter throws", "navigator.gpu.requestAdapter = () => { throw new TypeError('no'); };", /no graphics device/],
  ["there is no adapter", "navigator.gpu.requestAdapter = async () => null;", /no graphics device/],
  ["requestDevice never settles", "GPUAdapter.prototype.requestDevice = () => new Promise(() => {});", /did not answer within 10 s/],
  ["requestDevice is refused", "GPUAdapter.prototype.requestDevice = async () => { throw new DOMException('out of devices', 'OperationError'); };", /could not be opened.*out of devices/s],
  ["a buffer cannot be made", "GPUDevice.prototype.createBuffer = () => { throw new RangeError('too large'); };", /failed/],
  ["a kernel cannot be compiled", "GPUDevice.prototype.createShaderModule = () => { throw new TypeError('no compiler'); };", /failed/],
  ["a kernel is refused later", `
    const compile = GPUDevice.prototype.createShaderModule;
    GPUDevice.prototype.createShaderModule = function (what) { return compile.call(this, { ...what, code: "this is no shader" }); };`, /failed|refused|wrong/],
  ["results never come back", "GPUBuffer.prototype.mapAsync = () => new Promise(() => {});", /did not answer within 10 s/],
  ["results cannot be read", "GPUBuffer.prototype.mapAsync = async () => { throw new DOMException('gone', 'AbortError'); };", /failed/],
  ["nothing is computed", "GPUQueue.prototype.submit = () => {};", /wrong|failed/],
];

describe("a device that is not what it should be", { timeout: 1_200_000 }, () => {
  const visit = visiting("webgpu");

  for (const [what, lines] of HARMLESS) {
    test(`${what}: it draws all the same`, async () => {
      const page = await tampered(visit, lines);
      try {
        await page.loaded();
        await page.set(SETTINGS);
        assert.equal((await page.draw()).at(-1)?.type, "finished");
        assert.equal((await page.state("device")).kind, "webgpu", (await page.state("device")).why);
      } finally {
        await page.close();
      }
    });
  }

  for (const [what, lines, words] of UNFIT) {
    test(`${what}: the processor draws, and the page says why`, async () => {
      const page = await tampered(visit, lines);
      try {
        await page.page.waitForFunction(() => /** @type {any} */ (window).showo?.state.verifiersSettled, null, { timeout: 180_000 });
        const device = await page.state("device");
        assert.equal(device.kind, "cpu");
        assert.match(await page.page.locator("#device").innerText(), words);
        await page.set(SETTINGS);
        await page.press();
        await page.idle();
        assert.equal((await page.events()).at(-1)?.type, "finished", await page.errorWords());
        assert.deepEqual(page.faults.filter((fault) => fault.startsWith("uncaught")), []);
      } finally {
        await page.close();
      }
    });
  }

  test("a device that hangs in the middle of a drawing is given up, and the picture goes on on the processor", async () => {
    const page = await tampered(visit, MAY_HANG);
    try {
      await inTheMiddle(page);
      await page.page.workers()[0].evaluate(() => { /** @type {any} */ (self).hangs = true; });
      assert.match(await page.refusal(180_000), /lost before step \d+ \(it did not answer for \d+ s\).*go on/s);
      await page.idle();
      const kept = ofType(await page.events(), "step").length;
      await page.page.locator("#go-on").click();
      await page.idle();
      const events = await page.events();
      assert.equal(events.at(-1)?.type, "finished", await page.errorWords());
      assert.ok(kept >= 1 && ofType(events, "step").length === STEPS.steps);
      assert.equal((await page.state("device")).kind, "cpu");
      assert.match(await page.page.locator("#device").innerText(), /did not answer/);
    } finally {
      await page.close();
    }
  });

  test("stop answers while a device hangs", async () => {
    const page = await tampered(visit, MAY_HANG);
    try {
      await inTheMiddle(page);
      await page.page.workers()[0].evaluate(() => { /** @type {any} */ (self).hangs = true; });
      await page.page.locator("#stop").click();
      await page.idle(5000);
      assert.equal((await page.events()).at(-1)?.type, "cancelled");
    } finally {
      await page.close();
    }
  });

  test("the faster of two devices draws, the page says which and why, remembers it, and is overruled by a link", async () => {
    const page = await visit.open(visit.address);
    try {
      await page.loaded();
      const { kind, measured } = await page.state("device");
      // SwiftShader computes on the processor, and not as well as this engine's own loops.
      assert.equal(kind, "cpu");
      assert.ok(measured.webgpu_seconds > measured.cpu_seconds, JSON.stringify(measured));
      assert.match(await page.page.locator("#device").innerText(), /^CPU: it is faster here: \d+ ms .* \d+ ms on the graphics device \(.+\)/);

      await page.page.reload();
      await page.loaded();
      assert.deepEqual((await page.state("device")).measured, measured, "measured anew");

      await page.page.locator("#other-device").click();
      await page.page.waitForURL(/device=webgpu/);
      await page.loaded();
      assert.equal((await page.state("device")).kind, "webgpu");
      await page.page.locator("#other-device").click();
      await page.page.waitForURL(/device=cpu/);
      await page.loaded();
      assert.match(await page.page.locator("#device").innerText(), /^CPU: it was asked for/);
    } finally {
      await page.close();
    }
  });

  test("a tab that is killed at work is followed by a visit on the processor, which says so", async () => {
    const page = await visit.open();
    try {
      await inTheMiddle(page);
      const context = page.page.context();
      const debuggers = await context.newCDPSession(page.page);
      const crashed = page.page.waitForEvent("crash");
      debuggers.send("Page.crash").catch(() => {});
      await crashed;
      const next = await context.newPage();
      for (const [query, words] of /** @type {[string, RegExp][]} */ ([["", /^CPU: the last visit ended while the graphics device was at work/], ["?device=webgpu", /^WebGPU/]])) {
        await next.goto(visit.address + query);
        await next.waitForFunction(() => /** @type {any} */ (window).showo?.state.engine === "ready", null, { timeout: 180_000 });
        assert.match(await next.locator("#device").innerText(), words);
      }
    } finally {
      await page.close();
    }
  });
});
