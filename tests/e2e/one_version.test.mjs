// The page is one version, whole, whatever the network does on the second visit, and what the browser's storage refuses.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { serveMoodily } from "./server.mjs";
import { visiting } from "./visit.mjs";

/** Long enough to read the page's first line, short enough not to be waited for. */
const SOON_MS = 2_000;

describe("a page that was kept", { timeout: 600_000 }, () => {
  const visit = visiting("cpu");
  /** @type {Awaited<ReturnType<typeof serveMoodily>>} */
  let site;
  /** @type {Awaited<ReturnType<typeof visit.open>>} */
  let page;

  before(async () => {
    site = await serveMoodily(visit.address);
    page = await visit.open(site.address);
    await page.loaded();
    await page.page.evaluate(() => navigator.serviceWorker.ready);
  });
  after(() => site.close());

  /** The versions that a page is put together from: each edit leaves its word in the document. */
  const seen = () => page.page.evaluate(() => ({
    page: document.querySelector("meta[name=version]")?.getAttribute("content") ?? "first",
    module: document.documentElement.dataset.version ?? "first",
  }));

  /** How long a reload takes until the form can be filled in. */
  async function reload() {
    const began = Date.now();
    await page.page.reload({ waitUntil: "commit" });
    await page.page.waitForFunction(() => "showo" in window);
    return Date.now() - began;
  }

  /** @param {string} version what the next version's files say */
  function publish(version) {
    site.edits.set("index.html", (text) => text.replace("<head>", `<head><meta name="version" content="${version}">`));
    site.edits.set("app/dom.js", (text) => `${text}\ndocument.documentElement.dataset.version = "${version}";\n`);
  }

  for (const mood of /** @type {const} */ (["silent", "slow", "portal", "redirect", "errors"])) {
    test(`opens within ${SOON_MS / 1000} s where the server is ${mood}`, async () => {
      site.mood = mood;
      try {
        const took = await reload();
        assert.ok(took < SOON_MS, `it took ${took} ms`);
        assert.match(await page.page.title(), /PARM/);
      } finally {
        site.mood = "well";
      }
    });
  }

  test("is drawn with while the server never answers", async () => {
    site.mood = "silent";
    try {
      await reload();
      await page.loaded();
      await page.set({ prompt: "a red circle", seed: 1, steps: 2, candidates: 1, verifier: "none", reflection: false });
      await page.draw();
    } finally {
      site.mood = "well";
    }
  });

  test("opens also under a longer address", async () => {
    site.mood = "portal";
    try {
      await page.page.goto(`${site.address}?embed&device=cpu#prompt=a+star`);
      await page.page.waitForFunction(() => "showo" in window);
      assert.equal(await page.page.locator("#prompt").inputValue(), "a star");
    } finally {
      site.mood = "well";
      await page.page.goto(site.address);
    }
  });

  test("is the new version, whole, at the latest on the visit after the next", async () => {
    publish("second");
    await reload();
    const next = await seen();
    assert.equal(next.page, next.module);
    await page.page.waitForTimeout(2_000);
    await reload();
    assert.deepEqual(await seen(), { page: "second", module: "second" });
    site.mood = "silent";
    try {
      await reload();
      assert.deepEqual(await seen(), { page: "second", module: "second" }, "that is the version that is kept now");
    } finally {
      site.mood = "well";
    }
  });

  test("stays of one version while the next one arrives", async () => {
    await reload();
    const { page: before } = await seen();
    publish("third");
    // Half of it is not there yet.
    const main = site.edits.get("app/dom.js");
    site.edits.delete("app/dom.js");
    site.edits.set("offline.json", (text) => text.replace(/("app\/dom\.js":")[0-9a-f]{64}/, `$1${"0".repeat(64)}`));
    for (const again of [1, 2]) {
      await reload();
      assert.deepEqual(await seen(), { page: before, module: before }, `reload ${again}`);
    }
    site.edits.delete("offline.json");
    if (main) site.edits.set("app/dom.js", main);
    await reload();
    await page.page.waitForTimeout(2_000);
    await reload();
    assert.deepEqual(await seen(), { page: "third", module: "third" });
  });

  test("leaves nothing of older versions behind", async () => {
    await page.page.waitForTimeout(7_000);
    await reload();
    await page.page.waitForFunction(async () => (await caches.keys()).filter((name) => name.startsWith("showo-page-") && !name.endsWith(":open")).length === 1, null, { timeout: 15_000 });
  });

  test("has a worker of its own version, also when that is asked late", async () => {
    await page.loaded();
    const notes = await page.page.evaluate(async () => {
      const name = (await caches.keys()).find((name) => name.endsWith(":open"));
      const notes = await caches.open(String(name));
      return (await notes.keys()).length;
    });
    // The page and its worker.
    assert.ok(notes >= 2, `${notes} clients are noted`);
  });

  for (const fault of ["CacheStorage.prototype.open", "CacheStorage.prototype.keys", "Cache.prototype.match", "Cache.prototype.put", "Clients.prototype.matchAll"]) {
    test(`comes from the network where ${fault} rejects`, async () => {
      const [worker] = page.page.context().serviceWorkers();
      await worker.evaluate((fault) => {
        const [owner, , name] = fault.split(".");
        const { prototype } = /** @type {any} */ (self)[owner];
        const before = prototype[name];
        prototype[name] = () => Promise.reject(new Error("refused"));
        /** @type {any} */ (self).mend = () => (prototype[name] = before);
      }, fault);
      try {
        await reload();
        const versions = await seen();
        assert.equal(versions.page, versions.module);
      } finally {
        await worker.evaluate(() => /** @type {any} */ (self).mend());
      }
    });
  }

  test("nothing was thrown", () => {
    assert.deepEqual(page.faults.filter((fault) => fault.startsWith("uncaught")), []);
  });
});
