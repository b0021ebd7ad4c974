// What a browser's WebGPU leaves out is put in, and what throws is a promise.
import assert from "node:assert/strict";
import { test } from "node:test";

import { completeWebGpu } from "../app/webgpu.js";

/** A WebGPU with only what it is given. @param {any} adapter @param {any} [device] */
function gpu(adapter, device = {}) {
  const asked = /** @type {any[]} */ ([]);
  const gpu = {
    async requestAdapter() {
      return adapter && Object.assign(adapter, { async requestDevice(/** @type {any} */ descriptor) {
        asked.push(descriptor);
        return device;
      } });
    },
  };
  completeWebGpu(gpu);
  return { gpu: /** @type {any} */ (gpu), asked };
}

test("an adapter without words, limits or features has some", async () => {
  const adapter = await gpu({}).gpu.requestAdapter();
  assert.equal(adapter.info.description, "");
  assert.equal(adapter.info.isFallbackAdapter, false);
  assert.equal(adapter.limits.maxStorageBufferBindingSize, 134217728);
  assert.equal(adapter.features.has("shader-f16"), false);
  assert.equal(adapter.features.has("timestamp-query"), true, "burn refuses to begin without");
});

test("the most telling words describe an adapter", async () => {
  const named = async (/** @type {any} */ info) => (await gpu({ info }).gpu.requestAdapter()).info.description;
  assert.equal(await named({ vendor: "intel", architecture: "xe" }), "intel xe");
  assert.equal(await named({ vendor: "intel", architecture: "xe", device: "0x1234" }), "0x1234");
  assert.equal(await named({ vendor: "intel", description: "Iris" }), "Iris");
  assert.equal(await named({ vendor: 7, description: null }), "");
});

test("an older browser's word for a software adapter counts", async () => {
  assert.equal((await gpu({ isFallbackAdapter: true }).gpu.requestAdapter()).info.isFallbackAdapter, true);
  assert.equal((await gpu({ info: { isFallbackAdapter: true } }).gpu.requestAdapter()).info.isFallbackAdapter, true);
});

test("only limits that the adapter states are asked for", async () => {
  const { gpu: web, asked } = gpu({ limits: { maxBufferSize: 1 << 30, maxBindGroups: 4 } });
  const adapter = await web.requestAdapter();
  assert.equal(adapter.limits.maxBufferSize, 1 << 30);
  await adapter.requestDevice({ label: "x", requiredLimits: adapter.limits });
  assert.deepEqual(asked, [{ label: "x", requiredLimits: { maxBufferSize: 1 << 30, maxBindGroups: 4 } }]);
});

test("an adapter keeps the features that it has", async () => {
  const adapter = await gpu({ features: new Set(["shader-f16"]) }).gpu.requestAdapter();
  assert.equal(adapter.features.has("shader-f16"), true);
  assert.equal(adapter.features.has("subgroups"), false);
});

test("a device without its adapter's words, or without a loss, has them", async () => {
  const { gpu: web } = gpu({ info: { description: "a card" } });
  const device = await (await web.requestAdapter()).requestDevice();
  assert.equal(device.adapterInfo.description, "a card");
  assert.equal(typeof device.lost.then, "function");
});

test("what throws at once is a rejected promise; what is null stays null; what is no WebGPU is left alone", async () => {
  const thrower = /** @type {any} */ ({ requestAdapter() { throw new Error("no"); } });
  completeWebGpu(thrower);
  await assert.rejects(thrower.requestAdapter(), /no/);
  assert.equal(await gpu(null).gpu.requestAdapter(), null);
  completeWebGpu(undefined);
  completeWebGpu({});
});
