// The two browsers of the tests: one with WebGPU on SwiftShader, one without WebGPU.

import { CHROMIUM, playwright } from "./places.mjs";

/** A browser that is only tested phones nobody and needs no sandbox (root in a container has none). */
const QUIET = [
  "--no-sandbox", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync",
];
/** What it takes for WebGPU without a graphics card. */
const SWIFTSHADER = ["--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader", "--enable-features=Vulkan"];
/** Also on a machine with a graphics card: no adapter, as in a browser that has no WebGPU. */
const NO_WEBGPU = ["--disable-gpu", "--disable-features=WebGPU,Vulkan", "--disable-blink-features=WebGPU"];

/**
 * @param {"webgpu" | "cpu"} kind
 * @param {string[]} [more] arguments besides
 * @returns {Promise<import("playwright-core").Browser>}
 */
export function launch(kind, more = []) {
  return playwright.chromium.launch({
    executablePath: CHROMIUM,
    args: [...QUIET, ...(kind === "webgpu" ? SWIFTSHADER : NO_WEBGPU), ...more],
  });
}
