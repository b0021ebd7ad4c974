// What a browser's WebGPU leaves out and wgpu looks for, put in before the engine starts.
//
// Browsers differ in age and in what they hide: GPUAdapter.info came late, GPUDevice.adapterInfo later still, limits come and go by
// name. wgpu reads all of them and stops at the first that is missing; nothing of it is needed to compute.

/** The limits of the specification, which every device keeps: for those that an adapter does not state. */
const DEFAULT_LIMITS = Object.freeze({
  maxTextureDimension1D: 8192, maxTextureDimension2D: 8192, maxTextureDimension3D: 2048, maxTextureArrayLayers: 256, maxBindGroups: 4,
  maxBindGroupsPlusVertexBuffers: 24, maxBindingsPerBindGroup: 1000, maxDynamicUniformBuffersPerPipelineLayout: 8,
  maxDynamicStorageBuffersPerPipelineLayout: 4, maxSampledTexturesPerShaderStage: 16, maxSamplersPerShaderStage: 16,
  maxStorageBuffersPerShaderStage: 8, maxStorageTexturesPerShaderStage: 4, maxUniformBuffersPerShaderStage: 12,
  maxUniformBufferBindingSize: 65536, maxStorageBufferBindingSize: 134217728, minUniformBufferOffsetAlignment: 256,
  minStorageBufferOffsetAlignment: 256, maxVertexBuffers: 8, maxBufferSize: 268435456, maxVertexAttributes: 16,
  maxVertexBufferArrayStride: 2048, maxInterStageShaderVariables: 16, maxColorAttachments: 8, maxColorAttachmentBytesPerSample: 32,
  maxComputeWorkgroupStorageSize: 16384, maxComputeInvocationsPerWorkgroup: 256, maxComputeWorkgroupSizeX: 256,
  maxComputeWorkgroupSizeY: 256, maxComputeWorkgroupSizeZ: 64, maxComputeWorkgroupsPerDimension: 65535,
});

/** Completes every adapter and device that this `navigator.gpu` gives from now on. @param {any} gpu */
export function completeWebGpu(gpu) {
  if (typeof gpu?.requestAdapter !== "function") return;
  const request = gpu.requestAdapter.bind(gpu);
  // An asynchronous function: what throws at once is a promise that is rejected, as wgpu expects.
  define(gpu, "requestAdapter", async (/** @type {any} */ options) => {
    const adapter = await request(options);
    return adapter ? completedAdapter(adapter) : null;
  });
}

/** @param {any} adapter */
function completedAdapter(adapter) {
  const stated = adapter.limits;
  const info = completedInfo(adapter.info, adapter.isFallbackAdapter);
  const request = adapter.requestDevice.bind(adapter);
  define(adapter, "info", info);
  define(adapter, "limits", completedLimits(stated));
  define(adapter, "features", completedFeatures(adapter.features));
  define(adapter, "requestDevice", async (/** @type {any} */ descriptor) => {
    // A limit by a name that this browser does not know is an error, even at its default.
    const wanted = Object.entries(descriptor?.requiredLimits ?? {}).filter(([name]) => isNumber(stated?.[name]));
    const device = await request({ ...descriptor, requiredLimits: Object.fromEntries(wanted) });
    if (!device.adapterInfo) define(device, "adapterInfo", info);
    if (typeof device.lost?.then !== "function") define(device, "lost", new Promise(() => {}));
    if (!device.limits) define(device, "limits", completedLimits(stated));
    return device;
  });
  return adapter;
}

/**
 * burn stops where an adapter has no timestamps, lest somebody measure with them. Nobody here does, and the device is asked for
 * without any feature, so that the claim is never put to the test.
 *
 * @param {any} stated
 */
function completedFeatures(stated) {
  return { has: (/** @type {string} */ name) => name === "timestamp-query" || Boolean(stated?.has?.(name)) };
}

/** With the most telling of its words as its description. @param {any} info @param {unknown} fallback what older browsers say */
function completedInfo(info, fallback) {
  const word = (/** @type {string} */ name) => (typeof info?.[name] === "string" ? info[name].trim() : "");
  const [vendor, architecture, device] = [word("vendor"), word("architecture"), word("device")];
  return {
    vendor, architecture, device,
    description: word("description") || device || [vendor, architecture].filter(Boolean).join(" "),
    subgroupMinSize: isNumber(info?.subgroupMinSize) ? info.subgroupMinSize : 0,
    subgroupMaxSize: isNumber(info?.subgroupMaxSize) ? info.subgroupMaxSize : 0,
    isFallbackAdapter: Boolean(info?.isFallbackAdapter ?? fallback),
  };
}

/** @param {any} stated */
function completedLimits(stated) {
  return Object.fromEntries(Object.entries(DEFAULT_LIMITS).map(([name, value]) => [name, isNumber(stated?.[name]) ? stated[name] : value]));
}

/** @param {unknown} value */
function isNumber(value) {
  return typeof value === "number" && Number.isFinite(value);
}

/** Over what a prototype has. @param {any} object @param {string} name @param {unknown} value */
function define(object, name, value) {
  Object.defineProperty(object, name, { value, configurable: true, writable: true, enumerable: true });
}
