// A served build and a browser, from a describe block's first test to its last.

import { after, before } from "node:test";

import { launch } from "./browser.mjs";
import { serve } from "./server.mjs";
import { ShowoPage } from "./showo_page.mjs";

export class Visit {
  /** @type {Awaited<ReturnType<typeof serve>> | undefined} */
  #site;
  /** @type {import("playwright-core").Browser | undefined} */
  #browser;
  #query = "";

  /** @param {Parameters<typeof launch>[0]} kind */
  async begin(kind) {
    this.#site = await serve();
    this.#browser = await launch(kind);
    // The software adapter of these tests is slower than the processor, and would not be chosen.
    this.#query = kind === "webgpu" ? "?device=webgpu" : "";
  }

  async end() {
    await this.#browser?.close();
    this.endServing();
  }

  /** From here on nobody answers at the address. */
  endServing() {
    this.#site?.close();
  }

  /** Of the page; ends in a slash. */
  get address() {
    if (!this.#site) throw new Error("nothing is served before the first test");
    return this.#site.address;
  }

  get browser() {
    if (!this.#browser) throw new Error("there is no browser before the first test");
    return this.#browser;
  }

  /**
   * A page in a profile of its own, at the visit's address and on its device unless told another address.
   *
   * @param {string} [address]
   * @param {import("playwright-core").BrowserContextOptions} [options]
   */
  open(address = this.address + this.#query, options = {}) {
    return ShowoPage.open(this.browser, address, options);
  }
}

/** To be called in a describe block: its hooks begin the visit and end it. @param {Parameters<typeof launch>[0]} kind */
export function visiting(kind) {
  const visit = new Visit();
  before(() => visit.begin(kind));
  after(() => visit.end());
  return visit;
}
