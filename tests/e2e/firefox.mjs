// Firefox, as it comes from the system, driven over WebDriver BiDi.

import { FIREFOX, puppeteer } from "./places.mjs";

/** Off in the versions for long use; WebGPU then runs on Mesa's software Vulkan where there is no card. */
const WEBGPU = { "dom.webgpu.enabled": true, "dom.webgpu.workers.enabled": true, "gfx.webgpu.ignore-blocklist": true };

/** @param {"webgpu" | "cpu"} kind */
export function launchFirefox(kind) {
  return puppeteer.launch({
    browser: "firefox", executablePath: FIREFOX, headless: true,
    extraPrefsFirefox: kind === "webgpu" ? WEBGPU : { "dom.webgpu.enabled": false },
  });
}

/**
 * A page there, at an address, once everything has loaded or something is said to be wrong.
 *
 * @param {import("puppeteer-core").Browser} browser
 * @param {string} address
 */
export async function openInFirefox(browser, address) {
  const page = await browser.newPage();
  /** @type {string[]} */
  const faults = [];
  page.on("pageerror", (error) => faults.push(/** @type {Error} */ (error).message));
  await page.setViewport({ width: 1280, height: 900 });
  await page.goto(address);
  await page.waitForFunction(() => {
    const { problem, missing, verifiersSettled } = /** @type {any} */ (window).showo?.state ?? {};
    return problem || missing || verifiersSettled;
  }, { timeout: 240_000, polling: 200 });
  return {
    page,
    faults,
    /** One field of the page's state. @param {string} name @returns {Promise<any>} */
    state: (name) => page.evaluate((name) => /** @type {any} */ (window).showo.state[name], name),
    /** What the alert says. */
    said: () => page.$eval("#error", (element) => element.textContent ?? ""),
    /** Draws with what the address says, and answers with the events. @returns {Promise<any[]>} */
    async draw() {
      await page.click("#draw");
      await page.waitForFunction(() => {
        const { run, waiting, drawing } = /** @type {any} */ (window).showo.state;
        return run === "idle" && waiting === null && drawing.started;
      }, { timeout: 300_000, polling: 200 });
      return page.evaluate(() => /** @type {any} */ (window).showo.events);
    },
  };
}
