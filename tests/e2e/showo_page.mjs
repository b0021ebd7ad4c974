// The page as a visitor handles it: the form, the buttons, and what `window.showo` tells.

import assert from "node:assert/strict";

import { AXE } from "./places.mjs";

/** @typedef {import("../../www/app/contract.js").Event} Event */

/** A page in a profile of its own, so that nothing is cached from the test before. */
export class ShowoPage {
  /** What the page logged as an error or threw; a test that expects none asserts that it is empty. @type {string[]} */
  faults = [];

  /** @param {import("playwright-core").Page} page */
  constructor(page) {
    this.page = page;
    page.on("pageerror", (error) => this.faults.push(`uncaught: ${error.message}`));
    page.on("console", (message) => {
      const { url } = message.location();
      // The table of results is shown where the bundle brings one; the browser logs the question either way.
      if (message.type() === "error" && !url.endsWith("/results.json")) this.faults.push(`${message.text()} (${url})`);
    });
  }

  /**
   * @param {import("playwright-core").Browser} browser
   * @param {string} address
   * @param {import("playwright-core").BrowserContextOptions} [options]
   */
  static async open(browser, address, options = {}) {
    const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
    const opened = new ShowoPage(await context.newPage());
    await opened.page.goto(address);
    return opened;
  }

  close() {
    return this.page.context().close();
  }

  /** Waits until the engine has loaded with all its verifiers; fails with the page's own words. */
  async loaded(timeout = 180_000) {
    await this.page.waitForFunction(
      () => {
        const { problem, missing, verifiersSettled } = /** @type {any} */ (window).showo?.state ?? {};
        return problem || missing || verifiersSettled;
      }, null, { timeout });
    assert.equal(await this.errorWords(), "", "loading fails");
    assert.equal(await this.state("engine"), "ready");
  }

  /** One field of the page's state. @param {string} name */
  state(name) {
    return this.page.evaluate((name) => /** @type {any} */ (window).showo.state[name], name);
  }

  /** @returns {Promise<Event[]>} */
  events() {
    return this.page.evaluate(() => /** @type {any} */ (window).showo.events);
  }

  /** Fills in the form, by the controls' ids. @param {Record<string, string | number | boolean>} values */
  async set(values) {
    for (const [id, value] of Object.entries(values)) {
      const control = this.page.locator(`#${id}`);
      if (typeof value === "boolean") await control.setChecked(value);
      else if ((await control.evaluate((element) => element.tagName)) === "SELECT") await control.selectOption(String(value));
      else await control.fill(String(value));
    }
  }

  /** What the form says, by the controls' ids. @param {string[]} ids @returns {Promise<Record<string, string | boolean>>} */
  formValues(ids) {
    return this.page.evaluate((ids) => Object.fromEntries(ids.map((id) => {
      const control = /** @type {HTMLInputElement} */ (document.getElementById(id));
      return [id, control.type === "checkbox" ? control.checked : control.value];
    })), ids);
  }

  /** Presses Draw; the drawing then goes on by itself. */
  press() {
    return this.page.locator("#draw").click();
  }

  /** Waits until nothing is being drawn. */
  async idle(timeout = 240_000) {
    await this.page.waitForFunction(() => {
      const { run, waiting } = /** @type {any} */ (window).showo.state;
      return run === "idle" && waiting === null;
    }, null, { timeout });
  }

  /** Draws to the end and answers with the events. */
  async draw() {
    await this.press();
    await this.idle();
    assert.equal(await this.errorWords(), "", "drawing fails");
    const events = await this.events();
    assert.equal(events.at(-1)?.type, "finished");
    return events;
  }

  /** Runs the engine's self test of its kernels and answers with its rows. @returns {Promise<Record<string, unknown>[]>} */
  async selfTest() {
    await this.page.locator("#self-test").click();
    await this.page.waitForFunction(() => {
      const { selfTest, problem } = /** @type {any} */ (window).showo.state;
      return selfTest || problem;
    }, null, { timeout: 300_000 });
    assert.equal(await this.errorWords(), "", "the self test fails");
    return this.state("selfTest");
  }

  /** What the alert says; empty when there is none. */
  async errorWords() {
    return (await this.page.locator("#error").innerText()).trim();
  }

  /** Waits for the alert and answers with what it says. */
  async refusal(timeout = 120_000) {
    await this.page.waitForFunction(() => document.querySelector("#error")?.textContent?.trim(), null, { timeout });
    return this.errorWords();
  }

  /** The canvas's pixels, once it shows `shows`: `finished`, or `moment 4` for a place on the time axis. @param {string} [shows] */
  async canvas(shows = "finished") {
    await this.page.locator(`#picture[data-shows="${shows}"]`).waitFor({ timeout: 10_000 });
    return this.page.evaluate(() => {
      const canvas = /** @type {HTMLCanvasElement} */ (document.querySelector("#picture"));
      const pixels = canvas.getContext("2d")?.getImageData(0, 0, canvas.width, canvas.height).data ?? [];
      return { width: canvas.width, height: canvas.height, rgba: Array.from(pixels) };
    });
  }

  /** A PNG file's pixels, decoded by this browser. @param {string} base64 */
  pixels(base64) {
    return this.page.evaluate(async (base64) => {
      const bytes = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
      const bitmap = await createImageBitmap(new Blob([bytes], { type: "image/png" }), { colorSpaceConversion: "none" });
      const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
      const context = /** @type {OffscreenCanvasRenderingContext2D} */ (canvas.getContext("2d"));
      context.drawImage(bitmap, 0, 0);
      return { width: bitmap.width, height: bitmap.height, rgba: Array.from(context.getImageData(0, 0, bitmap.width, bitmap.height).data) };
    }, base64);
  }

  /** Counts the gaps between animation frames from now on; the answer ends it and gives the longest, in milliseconds. */
  async heartbeat() {
    await this.page.evaluate(() => {
      const beat = { longest: 0, last: performance.now(), on: true };
      /** @type {any} */ (window).heartbeat = beat;
      const tick = () => {
        const now = performance.now();
        beat.longest = Math.max(beat.longest, now - beat.last);
        beat.last = now;
        if (beat.on) requestAnimationFrame(tick);
      };
      requestAnimationFrame(tick);
    });
    return () => this.page.evaluate(() => {
      const beat = /** @type {any} */ (window).heartbeat;
      beat.on = false;
      return /** @type {number} */ (beat.longest);
    });
  }

  /** What axe-core finds wrong, one line each. */
  async inaccessible() {
    // By the debugger, which the page's content policy does not hold back.
    await this.page.evaluate(AXE);
    const { violations } = await this.page.evaluate(() => /** @type {any} */ (window).axe.run());
    return violations.flatMap((/** @type {any} */ rule) =>
      rule.nodes.map((/** @type {any} */ node) => `${rule.id}: ${rule.help}: ${node.target.join(" ")}`));
  }
}
